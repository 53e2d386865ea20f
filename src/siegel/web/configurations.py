"""Handlers of configurations: one shape for all of them, so that each needs only its reader and its writer of XML."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from msgspec import Struct

from siegel.domain.errors import InvalidRequestError, S3Error
from siegel.domain.limits import XML_BYTES_MAX
from siegel.domain.records import Document, Kind
from siegel.s3wire.body import plan_body
from siegel.s3wire.refusals import refuse_unsupported
from siegel.service.configurations import Check
from siegel.web.body import RequestBody
from siegel.web.call import Call, UseCases
from siegel.web.exchange import XML, Exchange

D = TypeVar("D", bound=Document)

Handler = Callable[[UseCases, Call, Exchange], Awaitable[None]]


async def read_body(cases: UseCases, call: Call, exchange: Exchange) -> bytes:
    """Return the small body of a request, checked against all that its head promises.

    Raises InvalidRequestError where the operation demands a Content-MD5 or a checksum and there is none.
    """
    plan = plan_body(call.verified, md5=False)
    if call.route.needs_integrity and not plan.has_integrity:
        raise InvalidRequestError("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    return await RequestBody(exchange, plan, cases.reaper, XML_BYTES_MAX).read_all(XML_BYTES_MAX)


async def answer_xml(cases: UseCases, call: Call, exchange: Exchange, xml: bytes, version_id: str = "") -> None:
    """Journal a read, of the version `version_id` if it is one of an object, and then answer it."""
    await cases.journal.append(call.trail.entry(200, version_id=version_id))
    await exchange.answer(200, [XML], xml)


class Configuration(Struct, Generic[D], frozen=True, kw_only=True):
    """A kind of configuration: where it is kept, how its XML is read and written, and what its absence is called.

    `parse` returns None for a body that takes the configuration away. `permit` asks the policies where what is put has a say in
    it; it raises AccessDeniedError. `check` is run inside
    the transaction of a PUT, before the document is stored. `put_status` is what S3 answers to a PUT.
    """

    kind: Kind
    document_type: type[D]
    parse: Callable[[bytes], D | None]
    render: Callable[[D], bytes]
    absent: type[S3Error]
    permit: Callable[[UseCases, Call, D | None], None] | None = None
    check: Check | None = None
    put_status: int = 200

    def handlers(self, get: str, put: str, delete: str) -> dict[str, Handler]:
        """Return the handlers of the operations of these names."""
        return {get: self._get, put: self._put, delete: self._delete}

    async def _get(self, cases: UseCases, call: Call, exchange: Exchange) -> None:
        document = cases.directory.document(call.bucket, self.kind, self.document_type)
        if document is None:
            raise self.absent(fields={"BucketName": call.bucket.name})
        await answer_xml(cases, call, exchange, self.render(document))

    async def _put(self, cases: UseCases, call: Call, exchange: Exchange) -> None:
        refuse_unsupported(call.request.headers)
        document = self.parse(await read_body(cases, call, exchange))
        if self.permit is not None:
            self.permit(cases, call, document)
        target, entry = cases.putter.target(call.bucket), call.trail.entry(self.put_status)
        if document is None:
            await cases.configurations.delete(target, self.kind, entry, self.check)
        else:
            await cases.configurations.put(target, self.kind, document, entry, self.check)
        await exchange.answer(self.put_status)

    async def _delete(self, cases: UseCases, call: Call, exchange: Exchange) -> None:
        await cases.configurations.delete(cases.putter.target(call.bucket), self.kind, call.trail.entry(204))
        await exchange.answer(204)
