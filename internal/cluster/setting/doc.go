// Package setting keeps what operators change while the system runs: versioned
// documents with actor, reason and time, in the store, and, while that is lost, in
// a journal on this node's disk. Levers are the settings made for emergencies.
// DESIGN.md has the flow of a change, the invariants and what happens when each
// part fails; the rules are T1 to T4 and S1, S5 of the durability guide.
package setting
