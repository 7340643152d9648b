//! A small allocator, whose every step takes the same short time however much is in use: the engine holds
//! queues of small values and short-lived lines, and nothing large.

#[global_allocator]
static MEMORY: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
