// Package engine decides what has to be done for a pipeline and does it.
//
// An [Engine] is made for one project from its resolved stages. Its verbs are
// Repro, Plan, Status, Explain, Commit, Checkout, Add and Collect. The engine
// never prints: everything that happens is an [Event] given to a [Sink].
//
// # How a stage is decided
//
// A stage is looked at when its inputs are final, that is when all stages that
// produce them have finished, and never earlier. Its dependencies and
// parameters are hashed into a snapshot. Then, in this order:
//
//  1. The lock's entry equals the snapshot and the outputs are as recorded:
//     the stage is skipped.
//  2. A record of the same key exists and its objects are in the cache: the
//     outputs are restored.
//  3. Otherwise the stage runs: its outputs are removed (what exists nowhere
//     else is kept aside), its command is run, the snapshot is compared again,
//     the outputs are hashed into the cache, then the record is written, then
//     the lock.
//
// Because stages compare content, an upstream stage that writes the same bytes
// as before stops the wave.
//
// # States
//
// Each stage moves through waiting, deciding, running and one of skipped,
// verified, restored, done, failed or blocked. All transitions go through one
// function, which emits the event, so that every sink tells the same story.
package engine
