// Package pando holds the domain of Pando, named as its users name things:
// collections, fields, records, rules, settings, and the services that answer
// for them. It imports nothing but the standard library, and everything else
// in this module may import it.
//
// Start reading at [Collection] and [Record] (what is stored), [Request] (what
// a rule may see of a call), [Error] (how a call fails) and the service
// interfaces in service.go (what the web API asks for).
package pando
