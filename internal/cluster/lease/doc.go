// Package lease makes one of many the only one that acts: leases with terms in
// the store, and jobs that run on the node that has their lease. DESIGN.md has
// the states, the formula and what happens when each part fails; the rules are
// L1 to L5 of the durability guide.
package lease
