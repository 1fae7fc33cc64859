"""Pure rules: items, the contents of a parcel, its states, and the order in which parcels get stock."""
