-- One row a scheduled departure, with what was known two hours before it; arr_delay is the outcome.
WITH weather AS (
  -- The newest reading of the last six hours, for each whole hour: as-of without a range join.
  SELECT
    origin,
    hour,
    max_by(struct(temp, dewp, humid, wind_dir, wind_speed, precip, pressure, visib), observed_at) AS reading
  FROM (
    SELECT *, explode(sequence(observed_at, observed_at + INTERVAL 5 HOURS, INTERVAL 1 HOUR)) AS hour
    FROM silver.weather
  )
  GROUP BY origin, hour
),
flights AS (
  SELECT *, scheduled_departure - INTERVAL 2 HOURS AS prediction_time
  FROM silver.flights
)
SELECT
  f.flight_date,
  f.carrier,
  f.flight,
  f.origin,
  f.scheduled_departure,
  f.prediction_time,
  f.dest,
  f.tailnum,
  f.distance,
  f.hour * 60 + f.minute AS departure_minute,
  dayofweek(f.flight_date) AS day_of_week,
  (f.sched_arr_time div 100) * 60 + f.sched_arr_time % 100 AS arrival_minute,
  p.built,
  p.seats,
  p.engines,
  p.manufacturer,
  a.lat AS dest_lat,
  a.lon AS dest_lon,
  w.reading.temp,
  w.reading.dewp,
  w.reading.humid,
  w.reading.wind_dir,
  w.reading.wind_speed,
  w.reading.precip,
  w.reading.pressure,
  w.reading.visib,
  f.arr_delay
FROM flights f
LEFT JOIN weather w ON w.origin = f.origin AND w.hour = date_trunc('HOUR', f.prediction_time)
LEFT JOIN silver.planes p ON p.tailnum = f.tailnum
LEFT JOIN silver.airports a ON a.faa = f.dest
