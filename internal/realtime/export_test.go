package realtime

import "github.com/pandobase/pando"

// Push queues an event for a client; false if its queue is full.
func Push(c pando.RealtimeClient, e pando.RealtimeEvent) bool { return c.(*client).push(e) }
