import re
def sub(path, *pairs):
    s=open(path).read()
    for a,b in pairs:
        assert a in s, (path, a)
        s=s.replace(a,b)
    open(path,'w').write(s)

CELL_MAP='// Mapping  one invocation four elements, which are of one tensor; workgroups in rows of x, then y'
sub('shaders/adamw.wgsl',
 ('// Mapping  one invocation an element; workgroups in rows of x, then y. adamwHyper', CELL_MAP+'. adamwHyper'),
 ('var<storage, read_write> halves: array<f16>','var<storage, read_write> halves: array<vec4<f16>>'),
 ('grads: array<f32>;','grads: array<vec4f>;'),
 ('values: array<f32>;','values: array<vec4f>;'),
 (' m: array<f32>;',' m: array<vec4f>;'),
 (' v: array<f32>;',' v: array<vec4f>;'),
 ('  if (i >= sizes.count) { return; }','  if (i >= sizes.count / 4u) { return; }'),
 ('segments[i / 64u]','segments[i / 16u]'),
 ('halves[i] = f16(value)','halves[i] = vec4<f16>(value)'),
)
sub('shaders/optimizer/average.wgsl',
 ('// Shapes   values, average: [count] f32;','// Shapes   values, average: [count] f32, count a multiple of 64;'),
 ('// Mapping  one invocation an element;','// Mapping  one invocation four elements;'),
 ('values: array<f32>','values: array<vec4f>'),('average: array<f32>','average: array<vec4f>'),
 ('if (i >= sizes.count) ','if (i >= sizes.count / 4u) '))
sub('shaders/optimizer/momentum.wgsl',
 ('// Mapping  one invocation an element; workgroups in rows of x, then y.', CELL_MAP+'.'),
 ('halves: array<f16>','halves: array<vec4<f16>>'),
 ('grads: array<f32>;','grads: array<vec4f>;'),
 ('values: array<f32>;','values: array<vec4f>;'),
 (' m: array<f32>;',' m: array<vec4f>;'),
 ('if (i >= sizes.count) ','if (i >= sizes.count / 4u) '),
 ('segments[i / 64u]','segments[i / 16u]'),
 ('halves[i] = f16(value)','halves[i] = vec4<f16>(value)'))
