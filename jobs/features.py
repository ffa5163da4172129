"""Feature groups and the feature table, into features.<group> and features.<spine>.

spark-submit jobs/features.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("features"))
