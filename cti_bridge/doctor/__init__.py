"""THE DOCTOR: asks each PBX and this machine, changes nothing, and says what to mend, with the line to write."""
