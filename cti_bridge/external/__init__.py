"""Other systems that know customers (a CRM, an ERP), asked beside our own store: an adapter for each, and what guards it."""
