// Package qrumb sends events to a qrumb collector over gRPC.
//
// [Client.Send] queues an event and returns; one goroutine sends batches, retries what a retry can cure, and reports
// every event's fate. [Client.Collect] sends one event in a call of its own and returns its receipt. The messages of
// the contract are in package qrumbv1.
//
// [Redirect] answers the requests that scans of QR codes make, and [Carry] carries a scan from its landing to the sale.
//
// An event leaves a client in one of three ways, each counted and reported: accepted and rejected (a receipt, to the
// hook of [OnReceipt]), failed (an error that no retry cures, or no answer until the end of [Client.Close]; to the hook
// of [OnFailure]). There is no fourth way.
package qrumb
