"""The PBX's own record of its calls (CEL, CDR, queue_log): read, understood, and compared with what the store has."""
