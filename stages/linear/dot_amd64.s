#include "textflag.h"

// func dotLanes(at []int32, vals, w []float64, nextAt *int32, nextVals *float64) (sum float64, ok bool)
//
// X0 has the sums a and b of dotGo, X1 c and d. Indices are compared without a
// sign, so that one below 0 is too large.
TEXT ·dotLanes(SB), NOSPLIT, $0-97
	MOVQ at_base+0(FP), SI
	MOVQ at_len+8(FP), CX
	MOVQ vals_base+24(FP), DI
	MOVQ w_base+48(FP), BX
	MOVQ w_len+56(FP), AX
	MOVQ nextAt+72(FP), R12
	MOVQ nextVals+80(FP), R13
	XORPS X0, X0
	XORPS X1, X1
	MOVQ CX, DX
	ANDQ $3, DX
	SHRQ $2, CX
	JZ   tail

four:
	PREFETCHT0 (R12)
	PREFETCHT0 (R13)
	ADDQ    $16, R12
	ADDQ    $32, R13
	MOVLQSX 0(SI), R8
	MOVLQSX 4(SI), R9
	MOVLQSX 8(SI), R10
	MOVLQSX 12(SI), R11
	CMPQ    R8, AX
	JCC     outside
	CMPQ    R9, AX
	JCC     outside
	CMPQ    R10, AX
	JCC     outside
	CMPQ    R11, AX
	JCC     outside
	MOVSD   (BX)(R8*8), X2
	MOVHPD  (BX)(R9*8), X2
	MOVSD   (BX)(R10*8), X3
	MOVHPD  (BX)(R11*8), X3
	MOVUPD  0(DI), X4
	MOVUPD  16(DI), X5
	MULPD   X4, X2
	MULPD   X5, X3
	ADDPD   X2, X0
	ADDPD   X3, X1
	ADDQ    $16, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     four

tail:
	TESTQ DX, DX
	JZ    done

one:
	MOVLQSX 0(SI), R8
	CMPQ    R8, AX
	JCC     outside
	MOVSD   (BX)(R8*8), X2
	MULSD   0(DI), X2
	ADDSD   X2, X0
	ADDQ    $4, SI
	ADDQ    $8, DI
	DECQ    DX
	JNZ     one

done:
	MOVAPD   X0, X2
	UNPCKHPD X2, X2
	ADDSD    X2, X0
	MOVAPD   X1, X3
	UNPCKHPD X3, X3
	ADDSD    X3, X1
	ADDSD    X1, X0
	MOVSD    X0, sum+88(FP)
	MOVB     $1, ok+96(FP)
	RET

outside:
	MOVQ $0, sum+88(FP)
	MOVB $0, ok+96(FP)
	RET

// func bentLanes(at []int32, vals []float64, rows []rowState) (sum float64, ok bool)
TEXT ·bentLanes(SB), NOSPLIT, $0-81
	MOVQ at_base+0(FP), SI
	MOVQ at_len+8(FP), CX
	MOVQ vals_base+24(FP), DI
	MOVQ rows_base+48(FP), BX
	MOVQ rows_len+56(FP), AX
	ADDQ AX, AX
	ADDQ $8, BX
	XORPS X0, X0
	XORPS X1, X1
	MOVQ CX, DX
	ANDQ $3, DX
	SHRQ $2, CX
	JZ   tail

four:
	MOVLQSX 0(SI), R8
	MOVLQSX 4(SI), R9
	MOVLQSX 8(SI), R10
	MOVLQSX 12(SI), R11
	ADDQ    R8, R8
	ADDQ    R9, R9
	ADDQ    R10, R10
	ADDQ    R11, R11
	CMPQ    R8, AX
	JCC     outside
	CMPQ    R9, AX
	JCC     outside
	CMPQ    R10, AX
	JCC     outside
	CMPQ    R11, AX
	JCC     outside
	MOVSD   (BX)(R8*8), X2
	MOVHPD  (BX)(R9*8), X2
	MOVSD   (BX)(R10*8), X3
	MOVHPD  (BX)(R11*8), X3
	MOVUPD  0(DI), X4
	MOVUPD  16(DI), X5
	MULPD   X4, X2
	MULPD   X5, X3
	ADDPD   X2, X0
	ADDPD   X3, X1
	ADDQ    $16, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     four

tail:
	TESTQ DX, DX
	JZ    done

one:
	MOVLQSX 0(SI), R8
	ADDQ    R8, R8
	CMPQ    R8, AX
	JCC     outside
	MOVSD   (BX)(R8*8), X2
	MULSD   0(DI), X2
	ADDSD   X2, X0
	ADDQ    $4, SI
	ADDQ    $8, DI
	DECQ    DX
	JNZ     one

done:
	MOVAPD   X0, X2
	UNPCKHPD X2, X2
	ADDSD    X2, X0
	MOVAPD   X1, X3
	UNPCKHPD X3, X3
	ADDSD    X3, X1
	ADDSD    X1, X0
	MOVSD    X0, sum+72(FP)
	MOVB     $1, ok+80(FP)
	RET

outside:
	MOVQ $0, sum+72(FP)
	MOVB $0, ok+80(FP)
	RET

// func bendLanes(delta float64, at []int32, vals []float64, rows []rowState, nextAt *int32, nextVals *float64) (ok bool)
TEXT ·bendLanes(SB), NOSPLIT, $0-97
	MOVSD    delta+0(FP), X0
	UNPCKLPD X0, X0
	MOVQ     at_base+8(FP), SI
	MOVQ     at_len+16(FP), CX
	MOVQ     vals_base+32(FP), DI
	MOVQ     rows_base+56(FP), BX
	MOVQ     rows_len+64(FP), AX
	MOVQ     nextAt+80(FP), R12
	MOVQ     nextVals+88(FP), R13
	ADDQ     AX, AX
	MOVQ     CX, DX
	ANDQ     $3, DX
	SHRQ     $2, CX
	JZ       tail

four:
	PREFETCHT0 (R12)
	PREFETCHT0 (R13)
	ADDQ     $16, R12
	ADDQ     $32, R13
	MOVLQSX  0(SI), R8
	MOVLQSX  4(SI), R9
	MOVLQSX  8(SI), R10
	MOVLQSX  12(SI), R11
	ADDQ     R8, R8
	ADDQ     R9, R9
	ADDQ     R10, R10
	ADDQ     R11, R11
	CMPQ     R8, AX
	JCC      outside
	CMPQ     R9, AX
	JCC      outside
	CMPQ     R10, AX
	JCC      outside
	CMPQ     R11, AX
	JCC      outside
	MOVUPD   0(DI), X1
	MOVUPD   16(DI), X3
	MULPD    X0, X1
	MULPD    X0, X3
	MOVAPD   X1, X2
	UNPCKHPD X2, X2
	MOVAPD   X3, X4
	UNPCKHPD X4, X4
	MULSD    (BX)(R8*8), X1
	ADDSD    8(BX)(R8*8), X1
	MOVSD    X1, 8(BX)(R8*8)
	MULSD    (BX)(R9*8), X2
	ADDSD    8(BX)(R9*8), X2
	MOVSD    X2, 8(BX)(R9*8)
	MULSD    (BX)(R10*8), X3
	ADDSD    8(BX)(R10*8), X3
	MOVSD    X3, 8(BX)(R10*8)
	MULSD    (BX)(R11*8), X4
	ADDSD    8(BX)(R11*8), X4
	MOVSD    X4, 8(BX)(R11*8)
	ADDQ     $16, SI
	ADDQ     $32, DI
	DECQ     CX
	JNZ      four

tail:
	TESTQ    DX, DX
	JZ       done

one:
	MOVLQSX  0(SI), R8
	ADDQ     R8, R8
	CMPQ     R8, AX
	JCC      outside
	MOVSD    0(DI), X1
	MULSD    X0, X1
	MULSD    (BX)(R8*8), X1
	ADDSD    8(BX)(R8*8), X1
	MOVSD    X1, 8(BX)(R8*8)
	ADDQ     $4, SI
	ADDQ     $8, DI
	DECQ     DX
	JNZ      one

done:
	MOVB $1, ok+96(FP)
	RET

outside:
	MOVB $0, ok+96(FP)
	RET

// func addLanes(f float64, at []int32, vals, w []float64) (ok bool)
TEXT ·addLanes(SB), NOSPLIT, $0-81
	MOVSD    f+0(FP), X0
	UNPCKLPD X0, X0
	MOVQ     at_base+8(FP), SI
	MOVQ     at_len+16(FP), CX
	MOVQ     vals_base+32(FP), DI
	MOVQ     w_base+56(FP), BX
	MOVQ     w_len+64(FP), AX
	MOVQ     CX, DX
	ANDQ     $3, DX
	SHRQ     $2, CX
	JZ       tail

four:
	MOVLQSX  0(SI), R8
	MOVLQSX  4(SI), R9
	MOVLQSX  8(SI), R10
	MOVLQSX  12(SI), R11
	CMPQ     R8, AX
	JCC      outside
	CMPQ     R9, AX
	JCC      outside
	CMPQ     R10, AX
	JCC      outside
	CMPQ     R11, AX
	JCC      outside
	MOVUPD   0(DI), X1
	MOVUPD   16(DI), X3
	MULPD    X0, X1
	MULPD    X0, X3
	MOVAPD   X1, X2
	UNPCKHPD X2, X2
	MOVAPD   X3, X4
	UNPCKHPD X4, X4
	ADDSD    (BX)(R8*8), X1
	MOVSD    X1, (BX)(R8*8)
	ADDSD    (BX)(R9*8), X2
	MOVSD    X2, (BX)(R9*8)
	ADDSD    (BX)(R10*8), X3
	MOVSD    X3, (BX)(R10*8)
	ADDSD    (BX)(R11*8), X4
	MOVSD    X4, (BX)(R11*8)
	ADDQ     $16, SI
	ADDQ     $32, DI
	DECQ     CX
	JNZ      four

tail:
	TESTQ    DX, DX
	JZ       done

one:
	MOVLQSX  0(SI), R8
	CMPQ     R8, AX
	JCC      outside
	MOVSD    0(DI), X1
	MULSD    X0, X1
	ADDSD    (BX)(R8*8), X1
	MOVSD    X1, (BX)(R8*8)
	ADDQ     $4, SI
	ADDQ     $8, DI
	DECQ     DX
	JNZ      one

done:
	MOVB $1, ok+80(FP)
	RET

outside:
	MOVB $0, ok+80(FP)
	RET
