package agentx

import (
	"context"
	"math"
)

// transactions answers requests. Those that set variables come in several
// PDUs, which belong together by their number.
type transactions struct {
	handler Handler
	number  uint32
	set     []VarBind // tested, not yet committed
	undo    func(context.Context) error
}

// maxVariables is how many an answer to a GetBulk has: a daemon may ask for
// more than a message has room for, and asks again.
const maxVariables = 500

// answer is what is said to a request; nil: nothing.
func (t *transactions) answer(ctx context.Context, p *PDU) *PDU {
	r := &PDU{Kind: Response, Transaction: p.Transaction, Packet: p.Packet}
	switch {
	case p.Kind == Response:
		return nil
	case p.Error != NoError: // it could not be read
		r.Error = p.Error
		return r
	}
	switch p.Kind {
	case Get, GetNext, GetBulk:
		t.read(ctx, p, r)
	case TestSet:
		t.number, t.set, t.undo = p.Transaction, p.VarBinds, nil
		code, index := t.handler.Test(ctx, p.VarBinds)
		r.Error, r.Index = code, uint16(min(index, math.MaxUint16))
	case CommitSet:
		r.Error = t.commit(ctx, p.Transaction)
	case UndoSet:
		r.Error = t.back(ctx, p.Transaction)
	case CleanupSet:
		t.set, t.undo = nil, nil
		return nil // RFC 2741 section 7.2.4.4: there is no answer
	default:
		r.Error = ProcessingFail
	}
	return r
}

func (t *transactions) read(ctx context.Context, p, r *PDU) {
	view, err := t.handler.View(ctx)
	if err != nil {
		r.Error, r.Index = GenErr, 1
		return
	}
	switch p.Kind {
	case Get:
		for _, s := range p.Ranges {
			r.VarBinds = append(r.VarBinds, VarBind{s.Start, view.Get(s.Start)})
		}
	case GetNext:
		for _, s := range p.Ranges {
			r.VarBinds = append(r.VarBinds, next(view, s))
		}
	default:
		r.VarBinds = bulk(view, p)
	}
}

func next(view View, s Range) VarBind {
	if v, ok := view.Next(s); ok {
		return v
	}
	return VarBind{s.Start, Value{Type: TypeEndOfMIBView}}
}

// bulk is RFC 2741 section 7.2.3.3.
func bulk(view View, p *PDU) (all []VarBind) {
	single := min(int(p.NonRepeaters), len(p.Ranges))
	for _, s := range p.Ranges[:single] {
		all = append(all, next(view, s))
	}
	ranges := append([]Range(nil), p.Ranges[single:]...)
	for range p.MaxRepetitions {
		ended := true
		for i := range ranges {
			v := next(view, ranges[i])
			all = append(all, v)
			ranges[i].Start, ranges[i].Include = v.Name, false
			ended = ended && v.Value.Type == TypeEndOfMIBView
		}
		if ended || len(all) >= maxVariables {
			break
		}
	}
	return all
}

func (t *transactions) commit(ctx context.Context, number uint32) Error {
	if t.set == nil || number != t.number {
		return CommitFailed
	}
	undo, err := t.handler.Commit(ctx, t.set)
	t.set = nil
	if err != nil {
		return CommitFailed
	}
	t.undo = undo
	return NoError
}

func (t *transactions) back(ctx context.Context, number uint32) Error {
	if t.undo == nil || number != t.number {
		return UndoFailed
	}
	undo := t.undo
	t.undo = nil
	if undo(ctx) != nil {
		return UndoFailed
	}
	return NoError
}
