"""The simulated camera: a sensor whose truth is known, and the sessions of FITS frames that it shoots."""
