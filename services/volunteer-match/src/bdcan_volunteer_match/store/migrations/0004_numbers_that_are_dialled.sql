-- The number that `phone` names, as it is dialled: E.164, such as +447700900123. Null: nobody could dial what was typed.
ALTER TABLE volunteer_person ADD COLUMN phone_e164 text;
