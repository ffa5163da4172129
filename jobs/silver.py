"""Typed rows, one a key, into silver.<source>; the others into quarantine.<source>.

spark-submit jobs/silver.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("silver"))
