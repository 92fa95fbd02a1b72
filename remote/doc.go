// Package remote keeps the objects and records of a cache elsewhere, so that
// one computes and all others restore.
//
// A [Store] holds named bytes: package dir keeps them on a disk, package s3 in
// a bucket. Everything else is on top and the same for all stores: [Retry],
// [Limit] and [Observe] decorate one, and a [Transfer] moves the objects of a
// [cache.Store] to it and back.
//
// # Names
//
// Names are made in one place (name.go) and are those of the local cache:
//
//	files/<hash>/xx/rest[.dir]     objects (DVC 2.x: xx/rest[.dir])
//	actions/xx/<key>.json          records, native
//	runs/xx/<key>/<value>          results, DVC
//
// # What may be relied on
//
// A record or manifest is sent only when everything that it names is there, so
// that what can be found can be restored; whoever reads one asks all the same.
// An object is verified by its digest when it leaves the cache and when it
// arrives: what is not what its name says is never stored, on neither side.
// Sizes are bounded by what the lock or manifest tells. A transfer that was
// interrupted goes on where it was: what arrived is not asked for again, and
// of a big object only the rest.
//
// Nothing here decides what a failing remote means: errors are [Error] values,
// which tell what failed, whether trying again may help, and what to do.
package remote
