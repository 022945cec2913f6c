"""The supervisors' figures, live: pure, fed by call and agent events."""
