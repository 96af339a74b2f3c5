package main

// benchCmd measures on this machine.
type benchCmd struct{}
