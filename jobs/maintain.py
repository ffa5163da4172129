"""Small files become few and old ones go, in every table, as `maintenance` in pipeline.yml says.

spark-submit jobs/maintain.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("maintain"))
