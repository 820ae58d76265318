"""The emulator, with what its index of tags leaves out: the groups of RDS, which the service's own index knows
(docs.aws.amazon.com/resourcegroupstagging, "Services that support": rds:cluster-pg, rds:pg, rds:subgrp). Without it a client that
asks the index sees none of their tags, and asks about each by itself."""

import sys

from moto.core.resource_tagging import TaggedResource
from moto.rds.models import RDSBackend
from moto.server import main

indexed = RDSBackend.iter_tagged_resources


def with_groups(self):
    yield from indexed(self)
    groups = {"rds:cluster-pg": self.db_cluster_parameter_groups, "rds:pg": self.db_parameter_groups, "rds:subgrp": self.subnet_groups}
    for kind, known in groups.items():
        # Copied: other threads make groups meanwhile.
        for group in list(known.values()):
            yield TaggedResource(arn=group.arn, tags={tag["Key"]: tag["Value"] for tag in group.get_tags()}, resource_type=kind)


RDSBackend.iter_tagged_resources = with_groups
main(sys.argv[1:])
