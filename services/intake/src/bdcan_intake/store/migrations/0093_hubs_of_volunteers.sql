-- The hubs that have welcomed whoever enquired: nobody else is told any more who it is.
ALTER TABLE volunteer_enquiry
    ADD COLUMN hub_ids text[] NOT NULL DEFAULT '{}',
    ADD COLUMN hubs_version integer NOT NULL DEFAULT 0;
