-- The hubs next to a hub. NULL: the hub was set up before there were neighbours.
ALTER TABLE hub ADD COLUMN neighbours text[];
