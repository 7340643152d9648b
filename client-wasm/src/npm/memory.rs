//! The allocator. It starts where the linker's data ends, in the page of memory that every module
//! has, and requests another page once that one is full; each of its steps takes the same short
//! time however much is in use. Other allocators leave the rest of the first page unused and
//! request a second one for the first byte.

use picoalloc as _;
