// Package certstore keeps certificates, their keys and the accounts at
// authorities where all nodes find them, and a copy of everything on the node's
// own disk, from which it is read: certmagic's Storage on the cluster's store.
//
// The disk is written first and read first, so certificates are found at a start
// without the store and a renewal while it is away is kept. A pass over both
// sides, every few seconds, when the store comes back and with each lock, takes
// what is newer to where it is older:
//
//	Store ──> disk (fsync) ──> store, if it is there
//	Load  <── disk, and the store for what the disk has not
//	pass:  the later modification time wins; with equal ones it is the same version
//
// On disk the modification time of a file is the one in the store, and the
// layout is certmagic's, so that a folder which an earlier Evergate or another
// program wrote is simply taken in. What has been deleted leaves a tombstone in
// the store for 90 days, or in DIR.deleted until the store is there. A file that
// the store knows nothing of is never deleted but uploaded: a store that came
// back empty is filled again.
//
// Two folders of DIR are the node's own and never leave it: local (the authority
// of tls.local) and locks. Keys whose first part begins with rw_test_ are
// certmagic's tries of the disk and stay there too.
//
// Locks are leases (package lease), so that the lock of a node that died is free
// after its TTL. While the store is lost a lock holds on this node only, and two
// nodes may both order a certificate; that costs one order, and waiting would
// cost the renewal.
//
// Private keys lie in the store as they lie on disk, unencrypted: who can read
// the database can read them.
package certstore
