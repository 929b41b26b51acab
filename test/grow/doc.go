// Package grow takes the steps of docs/grow.md: every command of it, in order, on
// machines that are directories. After each block the records of before are there,
// and another one is made.
package grow
