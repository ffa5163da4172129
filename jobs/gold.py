"""The SQL tables of the use case, into gold.<table>.

spark-submit jobs/gold.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("gold"))
