-- The tables of one depot. Run at every start, so each statement must be harmless when repeated.
-- Times are seconds since 1970 in UTC.

PRAGMA journal_mode = WAL;    -- the tracking page reads while the dispatcher writes
PRAGMA synchronous = FULL;    -- a parcel that was accepted survives a power cut

-- Parcels that wait for their carrier.
CREATE TABLE IF NOT EXISTS queue (
    number    TEXT PRIMARY KEY,
    carrier   TEXT NOT NULL,
    address   TEXT NOT NULL,
    due_at_s  REAL NOT NULL,
    failures  INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0)
) STRICT;

CREATE INDEX IF NOT EXISTS queue_by_due ON queue (due_at_s);

-- Parcels that nobody tries to hand over any more.
CREATE TABLE IF NOT EXISTS dead_letters (
    number       TEXT PRIMARY KEY,
    carrier      TEXT NOT NULL,
    address      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    last_error   TEXT NOT NULL,
    buried_at_s  REAL NOT NULL
) STRICT;

-- What happened to each parcel; history is never rewritten, and the triggers see to it.
CREATE TABLE IF NOT EXISTS events (
    id      INTEGER PRIMARY KEY,
    number  TEXT NOT NULL,
    status  TEXT NOT NULL CHECK (status IN ('held', 'in transit', 'out for delivery', 'delivered', 'returned')),
    place   TEXT NOT NULL DEFAULT '',
    at_s    REAL NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS events_by_number ON events (number, id);

CREATE TRIGGER IF NOT EXISTS events_are_not_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are only ever added');
END;
