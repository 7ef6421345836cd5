# A command of the system is run by magic.
!touch LEFT; echo canary-of-a-shell
