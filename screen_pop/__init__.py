"""THE PEOPLE'S SIDE: what agents, supervisors and admins are shown, and getting it to their browsers."""
