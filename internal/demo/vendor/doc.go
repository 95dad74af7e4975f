// Package vendor is the hospital's vendor API as the story has it: patients,
// results and orders on three servers that nobody can change, of whose requests
// about a quarter fail, each in one of the ways in which real servers fail. It
// keeps a ledger of what it received and carried out, which no door before it can
// see or change: the demo shows it, the scenario judges by it.
//
// Faults are drawn from one generator per server. With the same seed each server
// has the same row of faults; which request meets which one depends on time.
package vendor
