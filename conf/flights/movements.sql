-- When each flight really left and landed, in UTC: from then on its delays were known.
WITH landed AS (
  SELECT
    f.*,
    -- The arrival is a local time of the destination, as HHMM, on the day of departure or (overnight) the next.
    to_utc_timestamp(
      timestamp_seconds(unix_seconds(cast(f.flight_date AS timestamp)) + (arr_time div 100) * 3600 + (arr_time % 100) * 60),
      a.tzone
    ) AS arrival
  FROM silver.flights f
  LEFT JOIN silver.airports a ON a.faa = f.dest
)
SELECT
  flight_date,
  carrier,
  flight,
  origin,
  scheduled_departure,
  dest,
  tailnum,
  departed_at,
  CASE
    WHEN arr_delay IS NULL THEN NULL
    -- Airports without a known zone: the time in the air, and half an hour on the ground.
    WHEN arrival IS NULL THEN departed_at + make_interval(0, 0, 0, 0, 0, cast(air_time AS int) + 30, 0)
    WHEN arrival < departed_at THEN arrival + INTERVAL 1 DAY
    ELSE arrival
  END AS arrived_at,
  dep_delay,
  arr_delay
FROM landed
