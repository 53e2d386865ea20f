"""CORS: preflights, which nobody signs, and the headers that every answer of a bucket with rules has."""

from siegel.domain.configuration import Cors
from siegel.domain.errors import NoSuchBucketError
from siegel.domain.objects import Bucket
from siegel.domain.records import Kind
from siegel.s3wire.cors import answer_headers, parse_preflight, preflight_headers
from siegel.s3wire.request import Request
from siegel.s3wire.routes.browsers import PREFLIGHT_ROUTES
from siegel.service.trail import Trail
from siegel.web.call import UseCases
from siegel.web.exchange import Exchange, HeaderList, encode_headers


def cors_headers(cases: UseCases, bucket: Bucket, request: Request) -> HeaderList:
    """Return what the bucket's rules add to any answer of a request with an Origin. The rules come from memory."""
    cors = cases.directory.document(bucket, Kind.CORS, Cors)
    return [] if cors is None else encode_headers(answer_headers(cors, request))


async def answer_preflight(cases: UseCases, request: Request, exchange: Exchange, trail: Trail) -> None:
    """Answer an OPTIONS request on a bucket or object. Raises BadRequestError, AccessForbiddenError.

    It says the same of a bucket without rules and of one that does not exist: whoever asks has shown no right to know.
    """
    trail.kind = PREFLIGHT_ROUTES[0].kind
    trail.bucket, trail.object_key = request.bucket, request.object_key
    cors = None
    try:
        bucket = cases.directory.bucket(request.bucket)
    except NoSuchBucketError:
        pass
    else:
        trail.account_id, trail.bucket_id = bucket.account_id, bucket.bucket_id
        cors = cases.directory.document(bucket, Kind.CORS, Cors)
    asked = parse_preflight(request)
    headers = preflight_headers(cors, asked, "OBJECT" if request.object_key else "BUCKET")
    await cases.unproven.append(trail, 200, "")
    await exchange.answer(200, encode_headers(headers))
