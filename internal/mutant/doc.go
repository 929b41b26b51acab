// Package mutant holds the ways in which the data path can be broken on purpose,
// to show that test/consistency would notice. In every ordinary build all of
// them are constants that are false, and nothing is left of them in the binary.
//
// A build with the tag "mutants" breaks what PANDO_MUTANT names.
package mutant
