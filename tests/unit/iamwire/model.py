"""What AWS says of IAM, as botocore brings it along."""

from functools import cache

import botocore.loaders
import botocore.model
import botocore.parsers


@cache
def service_model(name):
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(name, "service-2"), name)


def parse(name, operation, xml):
    """Return what a client reads in an answer."""
    shape = service_model(name).operation_model(operation).output_shape
    answer = {"body": xml, "headers": {}, "status_code": 200}
    return botocore.parsers.create_parser("query").parse(answer, shape)
