"""Profile and drift metrics of the scored rows, into monitoring.<spine>_*.

spark-submit jobs/monitor.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("monitor"))
