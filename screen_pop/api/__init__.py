"""The REST API by subject: each file declares its routes in one table, from which come the checks and the documents."""
