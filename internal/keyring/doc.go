// Package keyring keeps the secrets that Evergate makes for itself: named
// purposes, a current key for each, and the keys before it, which still verify.
//
// A purpose without a source has a file of its own, data_dir/keys/PURPOSE.key,
// made at the first start (0600, in a folder of 0700). It is replaced whole: a
// temporary file, fsync, rename, fsync of the folder. It looks like this, the
// newest key first:
//
//	evergate keys sticky
//	# Secret. A line taken out is a key that no longer verifies.
//	5d41402abc4b2a76 2026-03-01T03:04:05Z 8J+RqQ...
//	1b2cf535f27731c9 2025-11-20T10:00:00Z c2VjcmV0...
//	end
//
// The first field is the key's id, made from the secret, so a damaged line is
// noticed; the last line says that nothing is missing below.
//
// A purpose with a source (a file of the operator's, or a systemd credential) is
// read from there and never written: see Source.
//
// A rotation keeps the KeepOld last keys; the one that is older falls out. To have none
// of the old ones verify (the key was seen by somebody), rotate and then Drop, or
// take the lines out of the file and reload. Nothing else forgets a key.
//
// What fails: a damaged, empty or foreign file makes Open and Reload return an
// error that names it and says what to do; Reload then changes nothing, and what
// is in memory goes on. A full disk makes Rotate return an error, with the old
// file whole and the old key current. A crash at any moment leaves the old file
// or the new one.
package keyring
