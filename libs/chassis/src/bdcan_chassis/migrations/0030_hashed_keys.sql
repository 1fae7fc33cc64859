-- An Idempotency-Key may be a name: the table keeps its hash, as http/idempotency.py makes it.
UPDATE chassis.idempotency_key
SET key = encode(sha256(convert_to('key' || chr(10) || caller || chr(10) || key, 'UTF8')), 'hex');
