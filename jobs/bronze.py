"""Raw files as they came, each once, into bronze.<source>.

spark-submit jobs/bronze.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("bronze"))
