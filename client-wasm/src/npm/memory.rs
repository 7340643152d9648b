//! The allocator. It begins where the linker ends, in the page of memory that every module has, and asks for
//! another page once that one is full; each of its steps takes the same short time however much is in use.
//! Others leave the rest of the first page alone and take a second one for the first byte.

use picoalloc as _;
