"""Uploads by browsers' forms: fields first, then a file that streams to its seal like the body of any PUT."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from siegel.domain.browser_errors import MalformedPOSTRequestError
from siegel.domain.entry import Entries
from siegel.domain.errors import EntityTooLargeError, EntityTooSmallError, MissingContentLengthError
from siegel.domain.limits import FORM_TAIL_BYTES_MAX, PUT_BYTES_MAX
from siegel.s3wire.body import BodyChecker, BodyFacts, BodyPlan, plan_form_file
from siegel.s3wire.checksums import Buffer
from siegel.s3wire.formdata import FormFields, parse_boundary
from siegel.s3wire.forms import Form, check_form_request, location_of, redirect_to, render_post, understand_form
from siegel.s3wire.request import Request
from siegel.service.bodies import payload_of
from siegel.service.manifests import manifest_of
from siegel.service.opened import version_text
from siegel.service.put import Stored
from siegel.web.body import IdleReaper, receive_slabs
from siegel.web.call import Call, UseCases
from siegel.web.encryption import wanted_sealing
from siegel.web.exchange import XML, Exchange, HeaderList
from siegel.web.lifecycle import expiration_headers
from siegel.web.locks import require_digest
from siegel.web.objects import checksum_headers, put_request, version_headers

_SEE_OTHER: Final = 303
_CREATED: Final = 201


async def read_form(cases: UseCases, request: Request, exchange: Exchange) -> Form:
    """Return the form that a request brings, read up to its file. Raises an S3Error for whatever is wrong with it.

    Nothing is proven yet: the fields, at most FORM_FIELDS_BYTES_MAX, are all that an unsigned form can make the service read.
    """
    check_form_request(request)
    reader = FormFields(parse_boundary(request.headers["content-type"]))
    if "content-length" not in request.headers:
        raise MissingContentLengthError
    while not reader.is_over:
        if exchange.body_left == 0:
            raise MalformedPOSTRequestError("The form does not end with its boundary.")
        reader.feed(await cases.reaper.receive(exchange))
    return understand_form(request, reader)


class FileBody:
    """The file of a form as the use cases want a body. It is refused unless its size is what the form's policy allows."""

    def __init__(self, exchange: Exchange, form: Form, plan: BodyPlan, reaper: IdleReaper) -> None:
        """Refuse at once what cannot keep to the policy. Raises EntityTooSmallError, EntityTooLargeError."""
        self.size_bytes = plan.size_bytes
        self._exchange = exchange
        self._rest = form.rest
        self._file = form.file
        self._checker = BodyChecker(plan)
        self._reaper = reaper
        policy = None if form.signed is None else form.signed.policy
        self._bytes_min, self._bytes_max = (0, PUT_BYTES_MAX) if policy is None else (policy.bytes_min, policy.bytes_max)
        self._seen = 0
        if plan.size_bytes < self._bytes_min:
            raise self._too_small(plan.size_bytes)
        if plan.size_bytes - FORM_TAIL_BYTES_MAX > self._bytes_max:
            raise self._too_large(plan.size_bytes)

    async def slabs(self) -> AsyncGenerator[list[bytes], None]:
        """Yield what is left of the raw form."""
        if self._rest:
            yield [self._rest]
        async with aclosing(receive_slabs(self._exchange, self._reaper, self.size_bytes)) as slabs:
            async for slab in slabs:
                yield slab

    async def payload(self) -> list[Buffer]:
        """Receive what is left of a small form, and return the bytes of its file."""
        return await payload_of(self)

    def feed(self, piece: bytes) -> list[Buffer]:
        """Return the bytes of the file in a piece of the form, checked."""
        pieces: list[Buffer] = []
        for data in self._file.feed(piece):
            self._seen += len(data)
            if self._seen > self._bytes_max:
                raise self._too_large(self._seen)
            if self._seen > self.size_bytes:
                raise MalformedPOSTRequestError("The form does not end with its boundary.")
            pieces += self._checker.feed(data)
        return pieces

    def finish(self) -> BodyFacts:
        """Check the end of the form and of its file."""
        self._file.finish()
        if self._seen < self._bytes_min:
            raise self._too_small(self._seen)
        return self._checker.finish()

    def _too_large(self, size_bytes: int) -> EntityTooLargeError:
        return EntityTooLargeError(fields={"ProposedSize": str(size_bytes), "MaxSizeAllowed": str(self._bytes_max)})

    def _too_small(self, size_bytes: int) -> EntityTooSmallError:
        return EntityTooSmallError(fields={"ProposedSize": str(size_bytes), "MinSizeAllowed": str(self._bytes_min)})


def _plan_file(form: Form, exchange: Exchange, *, md5: bool) -> BodyPlan:
    # The most that the file can be: all that is still to come but the closing boundary.
    size_bytes_max = max(len(form.rest) + (exchange.body_left or 0) - form.file.end_bytes, 0)
    return plan_form_file(form.request, size_bytes_max, md5=md5)


async def post_object(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PostObject: a PutObject whose headers are the fields of the form."""
    form = call.form
    assert form is not None  # noqa: S101  (the gateway has read it)
    sealing = await wanted_sealing(cases, call)
    wanted = put_request(call, sealing)
    target = cases.putter.target(call.bucket)
    plan = _plan_file(form, exchange, md5=sealing.shows_md5)
    require_digest(plan, target, is_locked=bool(wanted.lock))
    body = FileBody(exchange, form, plan, cases.reaper)

    def entry(stored: Stored) -> Entries:
        status = _SEE_OTHER if form.redirect else form.status
        return call.trail.entries(status, version_id=version_text(stored.version), manifest=manifest_of(stored))

    stored = await cases.putter.put(target, wanted, body, entry)
    told = [*sealing.headers(), *expiration_headers(cases, call, stored.version)]
    await _answer(call, form, exchange, stored, told=told)


async def _answer(call: Call, form: Form, exchange: Exchange, stored: Stored, *, told: HeaderList) -> None:
    etag = stored.head.etag
    location = location_of(form.request)
    headers = [
        (b"etag", b'"%s"' % etag.encode()),
        *checksum_headers(stored.head),
        *told,
        *version_headers(call.bucket, version_text(stored.version)),
    ]
    if form.redirect:
        await exchange.answer(_SEE_OTHER, [*headers, (b"location", redirect_to(form, etag).encode())])
    elif form.status == _CREATED:
        xml = render_post(location, call.bucket.name, form.request.object_key, etag)
        await exchange.answer(_CREATED, [*headers, (b"location", location.encode("latin-1")), XML], xml)
    else:
        await exchange.answer(form.status, [*headers, (b"location", location.encode("latin-1"))])


HANDLERS: Final = {"PostObject": post_object}
