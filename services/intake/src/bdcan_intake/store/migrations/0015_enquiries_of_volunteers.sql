-- no transaction
CREATE INDEX CONCURRENTLY volunteer_enquiry_volunteer ON volunteer_enquiry (volunteer_id);
