// Package arch has no code of its own: its tests hold the house to its plan.
//
//   - imports_test.go: which package may import which of ours, and which of
//     other people's may be imported where.
//   - callers_test.go: who may call the few functions that open a door, such as
//     raw.Samples and Words.Reveal.
//   - forbidden_test.go: programs in testdata/forbidden that must not compile,
//     each with the refusal it expects, and one beside them that must.
//   - tree_test.go: what no file may contain, and how long it may be.
package arch
