-- Postcodes that a release does not place, and where their neighbours say that they lie. ward_gss is empty where all of them lie outside.
CREATE TABLE gazetteer_guess (
    release_id bigint NOT NULL REFERENCES gazetteer_release (release_id) ON DELETE CASCADE,
    postcode text NOT NULL,
    ward_gss text,
    confidence double precision NOT NULL,
    outside double precision NOT NULL,
    agreeing int NOT NULL,
    neighbours int NOT NULL,
    by_position boolean NOT NULL,
    PRIMARY KEY (release_id, postcode)
);

-- How many postcodes of each ward a release has, by ward code.
ALTER TABLE gazetteer_release ADD COLUMN wards jsonb NOT NULL DEFAULT '{}';
