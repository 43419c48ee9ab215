// layerNorm for rows of whole cells of four elements, which an invocation keeps in registers: each is read once.
//
// Mapping  LANES invocations share a row of CELLS cells, GROUP / LANES rows at a time a workgroup; a lane takes every
//          LANES-th cell. The lanes' sums meet in workgroup memory, as a tree.
//          backward: a workgroup goes through a block of rows, and makes dx of each. A lane meets the same columns in
//          every row, so it also sums dy · x̂ and dy of them (PARAMETERS); the rows that a workgroup holds at a time are
//          added in order, and make the block's row of partials, which splitKReduce sums.
//          Every order is fixed by the shape; no atomics.

//#use layerNorm/common

var<workgroup> lanePairs: array<vec2f, GROUP>;

/// Sums over the invocations that share a row. Every invocation of the workgroup must call it.
fn rowSums(local: u32, value: vec2f) -> vec2f {
  if (LANES == 1u) { return value; }
  lanePairs[local] = value;
  workgroupBarrier();
  for (var span = LANES / 2u; span > 0u; span /= 2u) {
    if (local % LANES < span) { lanePairs[local] += lanePairs[local + span]; }
    workgroupBarrier();
  }
  let sums = lanePairs[local - local % LANES];
  workgroupBarrier();
  return sums;
}

fn cellTotal(cell: vec4f) -> f32 { return (cell.x + cell.y) + (cell.z + cell.w); }

//#kernel layerNormCellsForward
//#param WEIGHT: bool
//#param BIAS: bool
//#param RMS: bool
//#param HALF: bool
//#param LANES: u32
//#param CELLS: u32
//#param GROUP: u32
//#if HALF
//#enable f16
alias Cell = vec4<f16>;
//#else
alias Cell = vec4f;
//#end
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
//#if WEIGHT
@group(0) @binding(1) var<storage, read> gamma: array<vec4f>;
//#end
//#if BIAS
@group(0) @binding(2) var<storage, read> beta: array<vec4f>;
//#end
@group(0) @binding(3) var<storage, read_write> y: array<Cell>;
//#if !RMS
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
//#end
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
struct Sizes { rows: u32, eps: f32 }
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(GROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = (group.x + group.y * groups.x) * (GROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let inside = row < sizes.rows;
  // Places outside are moved to the edge: what they give is not stored.
  let base = min(row, sizes.rows - 1u) * CELLS;
  //#for C in 0..(CELLS + LANES - 1) / LANES
  let cell${C} = lane + ${C * LANES}u;
  //#if (C + 1) * LANES <= CELLS
  let has${C} = true;
  let at${C} = base + cell${C};
  //#else
  let has${C} = cell${C} < CELLS;
  let at${C} = base + min(cell${C}, CELLS - 1u);
  //#end
  let x${C} = select(vec4f(), x[at${C}], has${C});
  //#end for C

  //#if RMS
  let rowMean = 0.0;
  //#else
  var sum = x0;
  //#for C in 1..(CELLS + LANES - 1) / LANES: sum += x${C};
  let rowMean = rowSums(local, vec2f(cellTotal(sum), 0)).x / f32(4u * CELLS);
  //#end

  var squares = vec4f();
  //#for C in 0..(CELLS + LANES - 1) / LANES
  let centred${C} = select(vec4f(), x${C} - rowMean, has${C});
  squares += centred${C} * centred${C};
  //#end
  let variance = rowSums(local, vec2f(cellTotal(squares), 0)).x / f32(4u * CELLS);
  let rowRstd = 1.0 / sqrt(variance + sizes.eps);

  //#for C in 0..(CELLS + LANES - 1) / LANES
  if (inside && has${C}) {
    var value = centred${C} * rowRstd;
    //#if WEIGHT
    value *= gamma[cell${C}];
    //#end
    //#if BIAS
    value += beta[cell${C}];
    //#end
    y[at${C}] = Cell(value);
  }
  //#end for C
  if (lane == 0u && inside) {
    //#if !RMS
    mean[row] = rowMean;
    //#end
    rstd[row] = rowRstd;
  }
}

//#kernel layerNormCellsBackward
//#narrow
//#param WEIGHT: bool
//#param RMS: bool
//#param HALF: bool
//#param PARAMETERS: bool
//#param ACCUMULATE: bool
//#param LANES: u32
//#param CELLS: u32
//#param GROUP: u32
//#if HALF
//#enable f16
alias Cell = vec4<f16>;
//#else
alias Cell = vec4f;
//#end
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
//#if WEIGHT
@group(0) @binding(1) var<storage, read> gamma: array<vec4f>;
//#end
//#if !RMS
@group(0) @binding(2) var<storage, read> mean: array<f32>;
//#end
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<Cell>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;
//#if PARAMETERS
@group(0) @binding(6) var<storage, read_write> partials: array<vec4f>;
var<workgroup> columns: array<array<vec4f, 2>, GROUP>;
//#end
struct Sizes { rows: u32, rowsPerBlock: u32 }
@group(0) @binding(7) var<uniform> sizes: Sizes;

const ROWS = GROUP / LANES;

@compute @workgroup_size(GROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let block = group.x + group.y * groups.x;
  let lane = local % LANES;
  //#for C in 0..(CELLS + LANES - 1) / LANES
  //#if (C + 1) * LANES <= CELLS
  let has${C} = true;
  let cell${C} = lane + ${C * LANES}u;
  //#else
  let has${C} = lane + ${C * LANES}u < CELLS;
  let cell${C} = min(lane + ${C * LANES}u, CELLS - 1u);
  //#end
  //#if WEIGHT
  let gamma${C} = gamma[cell${C}];
  //#end
  //#if PARAMETERS
  var dGamma${C} = vec4f();
  var dBeta${C} = vec4f();
  //#end
  //#end for C

  let end = min(sizes.rows, (block + 1u) * sizes.rowsPerBlock);
  for (var first = block * sizes.rowsPerBlock; first < end; first += ROWS) {
    let inside = first + local / LANES < end;
    // Places outside are moved to the edge: what they give is not stored, and adds nothing.
    let row = min(first + local / LANES, end - 1u);
    let rowRstd = rstd[row];
    //#if RMS
    let rowMean = 0.0;
    //#else
    let rowMean = mean[row];
    //#end
    var sums = vec4f();
    var products = vec4f();
    //#for C in 0..(CELLS + LANES - 1) / LANES
    let at${C} = row * CELLS + cell${C};
    let dy${C} = select(vec4f(), vec4f(dy[at${C}]), inside && has${C});
    let normal${C} = select(vec4f(), (x[at${C}] - rowMean) * rowRstd, inside && has${C});
    //#if WEIGHT
    let g${C} = dy${C} * gamma${C};
    //#else
    let g${C} = dy${C};
    //#end
    sums += g${C};
    products += g${C} * normal${C};
    //#if PARAMETERS
    dGamma${C} += dy${C} * normal${C};
    dBeta${C} += dy${C};
    //#end
    //#end for C
    let means = rowSums(local, vec2f(cellTotal(sums), cellTotal(products))) / f32(4u * CELLS);
    //#if RMS
    let meanG = 0.0;
    //#else
    let meanG = means.x;
    //#end
    //#for C in 0..(CELLS + LANES - 1) / LANES
    if (inside && has${C}) {
      let value = rowRstd * (g${C} - meanG - normal${C} * means.y);
      //#if ACCUMULATE
      dx[at${C}] += value;
      //#else
      dx[at${C}] = value;
      //#end
    }
    //#end for C
  }

  //#if PARAMETERS
  //#for C in 0..(CELLS + LANES - 1) / LANES
  columns[local] = array(dGamma${C}, dBeta${C});
  workgroupBarrier();
  if (local < LANES && has${C}) {
    var total = columns[local];
    for (var at = local + LANES; at < GROUP; at += LANES) {
      total[0] += columns[at][0];
      total[1] += columns[at][1];
    }
    partials[2u * block * CELLS + cell${C}] = total[0];
    partials[(2u * block + 1u) * CELLS + cell${C}] = total[1];
  }
  workgroupBarrier();
  //#end for C
  //#end if PARAMETERS
}
