"""Names of images in ECR: of the ordinary endpoints, FIPS ones and dual-stack ones, in every partition.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
"""

from __future__ import annotations

import re
from typing import Final

ECR_IMAGE: Final = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[^/]+/"
    r"(?P<repository>[^:@\s]+)(?::(?P<tag>[^@\s]+))?(?:@(?P<digest>\S+))?"
)
"""Account, region, repository, and tag and digest if given."""
