"""A shop's warehouse, made up and the same every time: database SHOP, schemas RETAIL and CRM."""
