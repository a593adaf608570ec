// Package phonelib is where the package phone, a module of its own, hands its knowledge to the client.
package phonelib

// Known is set by the package phone when a program starts; nil: the program does not import it. It gives a number in
// E.164 form as its country has it, and whether one exists: of a doubtful number the whole is judged, of another only
// the length, since ranges are opened anew.
var Known func(number string, isDoubtful bool) (known string, exists bool)
