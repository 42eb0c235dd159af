var Le=globalThis,Qe=e=>e,ce=Le.trustedTypes,Ze=ce?ce.createPolicy("lit-html",{createHTML:e=>e}):void 0,Pe="$lit$",M=`lit$${Math.random().toFixed(9).slice(2)}$`,Be="?"+M,cn=`<${Be}>`,F=document,ne=()=>F.createComment(""),oe=e=>e===null||typeof e!="object"&&typeof e!="function",Fe=Array.isArray,rt=e=>Fe(e)||typeof e?.[Symbol.iterator]=="function",He=`[ 	
\f\r]`,te=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,et=/-->/g,tt=/>/g,P=RegExp(`>|${He}(?:([^\\s"'>=/]+)(${He}*=${He}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),nt=/'/g,ot=/"/g,at=/^(?:script|style|textarea|title)$/i,Ie=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),m=Ie(1),Ro=Ie(2),Mo=Ie(3),I=Symbol.for("lit-noChange"),g=Symbol.for("lit-nothing"),st=new WeakMap,B=F.createTreeWalker(F,129);function it(e,t){if(!Fe(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return Ze!==void 0?Ze.createHTML(t):t}var lt=(e,t)=>{let n=e.length-1,o=[],s,a=t===2?"<svg>":t===3?"<math>":"",r=te;for(let l=0;l<n;l++){let i=e[l],u,c,d=-1,p=0;for(;p<i.length&&(r.lastIndex=p,c=r.exec(i),c!==null);)p=r.lastIndex,r===te?c[1]==="!--"?r=et:c[1]!==void 0?r=tt:c[2]!==void 0?(at.test(c[2])&&(s=RegExp("</"+c[2],"g")),r=P):c[3]!==void 0&&(r=P):r===P?c[0]===">"?(r=s??te,d=-1):c[1]===void 0?d=-2:(d=r.lastIndex-c[2].length,u=c[1],r=c[3]===void 0?P:c[3]==='"'?ot:nt):r===ot||r===nt?r=P:r===et||r===tt?r=te:(r=P,s=void 0);let f=r===P&&e[l+1].startsWith("/>")?" ":"";a+=r===te?i+cn:d>=0?(o.push(u),i.slice(0,d)+Pe+i.slice(d)+M+f):i+M+(d===-2?l:f)}return[it(e,a+(e[n]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),o]},se=class e{constructor({strings:t,_$litType$:n},o){let s;this.parts=[];let a=0,r=0,l=t.length-1,i=this.parts,[u,c]=lt(t,n);if(this.el=e.createElement(u,o),B.currentNode=this.el.content,n===2||n===3){let d=this.el.content.firstChild;d.replaceWith(...d.childNodes)}for(;(s=B.nextNode())!==null&&i.length<l;){if(s.nodeType===1){if(s.hasAttributes())for(let d of s.getAttributeNames())if(d.endsWith(Pe)){let p=c[r++],f=s.getAttribute(d).split(M),$=/([.?@])?(.*)/.exec(p);i.push({type:1,index:a,name:$[2],strings:f,ctor:$[1]==="."?ue:$[1]==="?"?pe:$[1]==="@"?me:V}),s.removeAttribute(d)}else d.startsWith(M)&&(i.push({type:6,index:a}),s.removeAttribute(d));if(at.test(s.tagName)){let d=s.textContent.split(M),p=d.length-1;if(p>0){s.textContent=ce?ce.emptyScript:"";for(let f=0;f<p;f++)s.append(d[f],ne()),B.nextNode(),i.push({type:2,index:++a});s.append(d[p],ne())}}}else if(s.nodeType===8)if(s.data===Be)i.push({type:2,index:a});else{let d=-1;for(;(d=s.data.indexOf(M,d+1))!==-1;)i.push({type:7,index:a}),d+=M.length-1}a++}}static createElement(t,n){let o=F.createElement("template");return o.innerHTML=t,o}};function W(e,t,n=e,o){if(t===I)return t;let s=o!==void 0?n._$Co?.[o]:n._$Cl,a=oe(t)?void 0:t._$litDirective$;return s?.constructor!==a&&(s?._$AO?.(!1),a===void 0?s=void 0:(s=new a(e),s._$AT(e,n,o)),o!==void 0?(n._$Co??=[])[o]=s:n._$Cl=s),s!==void 0&&(t=W(e,s._$AS(e,t.values),s,o)),t}var de=class{constructor(t,n){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=n}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:n},parts:o}=this._$AD,s=(t?.creationScope??F).importNode(n,!0);B.currentNode=s;let a=B.nextNode(),r=0,l=0,i=o[0];for(;i!==void 0;){if(r===i.index){let u;i.type===2?u=new q(a,a.nextSibling,this,t):i.type===1?u=new i.ctor(a,i.name,i.strings,this,t):i.type===6&&(u=new ge(a,this,t)),this._$AV.push(u),i=o[++l]}r!==i?.index&&(a=B.nextNode(),r++)}return B.currentNode=F,s}p(t){let n=0;for(let o of this._$AV)o!==void 0&&(o.strings!==void 0?(o._$AI(t,o,n),n+=o.strings.length-2):o._$AI(t[n])),n++}},q=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,n,o,s){this.type=2,this._$AH=g,this._$AN=void 0,this._$AA=t,this._$AB=n,this._$AM=o,this.options=s,this._$Cv=s?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,n=this._$AM;return n!==void 0&&t?.nodeType===11&&(t=n.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,n=this){t=W(this,t,n),oe(t)?t===g||t==null||t===""?(this._$AH!==g&&this._$AR(),this._$AH=g):t!==this._$AH&&t!==I&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):rt(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==g&&oe(this._$AH)?this._$AA.nextSibling.data=t:this.T(F.createTextNode(t)),this._$AH=t}$(t){let{values:n,_$litType$:o}=t,s=typeof o=="number"?this._$AC(t):(o.el===void 0&&(o.el=se.createElement(it(o.h,o.h[0]),this.options)),o);if(this._$AH?._$AD===s)this._$AH.p(n);else{let a=new de(s,this),r=a.u(this.options);a.p(n),this.T(r),this._$AH=a}}_$AC(t){let n=st.get(t.strings);return n===void 0&&st.set(t.strings,n=new se(t)),n}k(t){Fe(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,o,s=0;for(let a of t)s===n.length?n.push(o=new e(this.O(ne()),this.O(ne()),this,this.options)):o=n[s],o._$AI(a),s++;s<n.length&&(this._$AR(o&&o._$AB.nextSibling,s),n.length=s)}_$AR(t=this._$AA.nextSibling,n){for(this._$AP?.(!1,!0,n);t!==this._$AB;){let o=Qe(t).nextSibling;Qe(t).remove(),t=o}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},V=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,n,o,s,a){this.type=1,this._$AH=g,this._$AN=void 0,this.element=t,this.name=n,this._$AM=s,this.options=a,o.length>2||o[0]!==""||o[1]!==""?(this._$AH=Array(o.length-1).fill(new String),this.strings=o):this._$AH=g}_$AI(t,n=this,o,s){let a=this.strings,r=!1;if(a===void 0)t=W(this,t,n,0),r=!oe(t)||t!==this._$AH&&t!==I,r&&(this._$AH=t);else{let l=t,i,u;for(t=a[0],i=0;i<a.length-1;i++)u=W(this,l[o+i],n,i),u===I&&(u=this._$AH[i]),r||=!oe(u)||u!==this._$AH[i],u===g?t=g:t!==g&&(t+=(u??"")+a[i+1]),this._$AH[i]=u}r&&!s&&this.j(t)}j(t){t===g?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},ue=class extends V{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===g?void 0:t}},pe=class extends V{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==g)}},me=class extends V{constructor(t,n,o,s,a){super(t,n,o,s,a),this.type=5}_$AI(t,n=this){if((t=W(this,t,n,0)??g)===I)return;let o=this._$AH,s=t===g&&o!==g||t.capture!==o.capture||t.once!==o.once||t.passive!==o.passive,a=t!==g&&(o===g||s);s&&this.element.removeEventListener(this.name,this,o),a&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},ge=class{constructor(t,n,o){this.element=t,this.type=6,this._$AN=void 0,this._$AM=n,this.options=o}get _$AU(){return this._$AM._$AU}_$AI(t){W(this,t)}},ct={M:Pe,P:M,A:Be,C:1,L:lt,R:de,D:rt,V:W,I:q,H:V,N:pe,U:me,B:ue,F:ge},dn=Le.litHtmlPolyfillSupport;dn?.(se,q),(Le.litHtmlVersions??=[]).push("3.3.3");var R=(e,t,n)=>{let o=n?.renderBefore??t,s=o._$litPart$;if(s===void 0){let a=n?.renderBefore??null;o._$litPart$=s=new q(t.insertBefore(ne(),a),a,void 0,n??{})}return s._$AI(e),s};var un=1500;function O(e,t="",n="Copy"){return m`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${t||g}
    .textContent=${n}
    @click=${s=>{pn(s.currentTarget,e,n)}}
  ></button>`}async function pn(e,t,n="Copy"){let o=!0;try{await navigator.clipboard.writeText(t)}catch{o=!1}e.textContent=o?"Copied":"Select it",setTimeout(()=>{e.textContent=n},un)}var dt=new WeakSet;function fe(e){dt.has(e)||(dt.add(e),new ResizeObserver(()=>fe(e)).observe(e)),e.scrollHeight>e.clientHeight+1||e.scrollWidth>e.clientWidth+1?e.tabIndex=0:e.removeAttribute("tabindex")}function be(e){let t=document.createElement("style");return/^[\w-]+$/.test(e??"")&&(t.textContent=`.${e}, .jp-OutputArea-child:has(.${e}) { display: none !important; }`),document.head.append(t),()=>t.remove()}async function N(e,t,n,o={}){let s=globalThis.crypto?.randomUUID?.()??`${Date.now()}-${Math.random()}`,a={...o,command:t,run_id:n,command_id:s};if(await mn(e,a))return"control";try{return e.send(a),"comm"}catch{return"none"}}async function ut(e){return(await e.widget_manager)?.kernel}async function mn(e,t){try{let n=await ut(e);if(typeof n?.sendControlMessage!="function")return!1;let s={channel:"control",header:{msg_id:t.command_id,msg_type:"nbagent_request",session:n.clientId??"",username:n.username??"",date:new Date().toISOString(),version:"5.3"},parent_header:{},metadata:{},content:t,buffers:[]},a=n.sendControlMessage(s,!0,!0);a.done?.catch?.(()=>{});let r=new Promise(i=>{a.onReply=u=>i(u.content?.status==="ok"&&u.content.heard===!0)}),l=new Promise(i=>setTimeout(i,1500,!1));return await Promise.race([r,l])}catch{return!1}}async function pt(e,t){e.on("comm_live_update",t);try{let n=await ut(e),o=new Set(["restarting","autorestarting","terminating","dead"]);n?.statusChanged?.connect((s,a)=>{o.has(a)&&t()}),n?.disposed?.connect(t)}catch{}}var gn=new Intl.NumberFormat("en-US"),fn=new Intl.NumberFormat("en-US",{notation:"compact",maximumFractionDigits:1}),T=e=>gn.format(e),he=e=>fn.format(e),U=(e,t)=>`${T(e)} ${t}${e===1?"":"s"}`;function j(e){let t=Math.max(0,Math.floor(e/1e3));if(t<60)return`${t} s`;let n=Math.floor(t/60)%60,o=Math.floor(t/3600),s=a=>String(a).padStart(2,"0");return o?`${o} h ${s(n)} min`:`${n} min ${s(t%60)} s`}var mt=e=>e<1e4?`${(Math.max(0,e)/1e3).toFixed(1)} s`:j(e);function gt(e,t){let n=new Date(e);if(n.toDateString()===new Date(t).toDateString())return n.toLocaleTimeString("en-GB");let o=n.getFullYear()===new Date(t).getFullYear(),s={day:"numeric",month:"short"};return n.toLocaleDateString("en-GB",o?s:{...s,year:"numeric"})}function $e(e){return e===0?"$0":e>=.1?`$${e.toLocaleString("en-US",{minimumFractionDigits:2,maximumFractionDigits:2})}`:`$${Number(e.toPrecision(2))}`}var ft=e=>e>=1?`${he(e)}/s`:`${he(60*e)}/min`;var bn=new Set(["completed","error","cancelled","timeout","interrupted","incomplete"]),hn=new Set(["error","timeout","interrupted"]),x=e=>bn.has(e),ye=e=>hn.has(e);var we="nbagent-notify",$n=1e4,yn=800,We=3,bt=()=>typeof Notification=="function"&&Notification.permission!=="denied"&&!!navigator.locks;function Ve(){try{return bt()&&Notification.permission==="granted"&&localStorage.getItem(we)==="on"}catch{return!1}}async function vn(){let e=!Ve()&&await Notification.requestPermission()==="granted";try{localStorage.setItem(we,e?"on":"off")}catch{return}for(let t of document.querySelectorAll(".nbagent-bell"))t.setAttribute("aria-pressed",String(e))}function Te(){return bt()?m`<button
    type="button"
    class="nbagent-button nbagent-bell"
    title="Notify me when a run ends or waits for me"
    aria-label="Notify me when a run ends or waits for me"
    aria-pressed=${Ve()}
    @click=${()=>{vn()}}
  ></button>`:g}function re(e,t){return e===void 0||e===t||x(e)?null:t==="paused"?"waits":x(t)?"ended":null}function wn(e){let t=e.filter(r=>r.status==="paused").length,[n]=e;if(n&&e.length===1)return[t?`${n.title} waits for you`:`${n.title}: ${n.status}`,"nbagent"];let o=e.slice(0,We).map(r=>`${r.title}: ${r.status==="paused"?"waits for you":r.status}`);e.length>We&&o.push(`and ${e.length-We} more`);let s=e.length-t;return[[t?`${U(t,"run")} ${t===1?"waits":"wait"} for you`:"",s?`${U(s,"run")} ended`:""].filter(Boolean).join(", "),o.join(`
`)]}var ve=[];function ae(e,t,n){Ve()&&navigator.locks.request(`${we} ${e} ${t}`,{ifAvailable:!0},async o=>{o&&(ve.push(n),ve.length===1&&setTimeout(Tn,yn),await new Promise(s=>setTimeout(s,$n)))})}function Tn(){let[e,t]=wn(ve);ve=[];let n=new Notification(e,{body:t,tag:`${we} ${e}`});n.onclick=()=>window.focus()}var G=class{constructor(t,n=()=>performance.now()){this.askWhole=t;this.now=n}askWhole;now;#e=-1;#t=-1/0;get seq(){return this.#e}restart(t){this.#e=t}accept(t){return typeof t!="number"||t<=this.#e?!1:t!==this.#e+1?(this.resync(),!1):(this.#e=t,!0)}resync(){this.now()-this.#t<1e3||(this.#t=this.now(),this.askWhole())}};var ht={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},xe=e=>(...t)=>({_$litDirective$:e,values:t}),Y=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,n,o){this._$Ct=t,this._$AM=n,this._$Ci=o}_$AS(t,n){return this.update(t,n)}update(t,n){return this.render(...n)}};var{I:xn}=ct,$t=e=>e;var yt=()=>document.createComment(""),X=(e,t,n)=>{let o=e._$AA.parentNode,s=t===void 0?e._$AB:t._$AA;if(n===void 0){let a=o.insertBefore(yt(),s),r=o.insertBefore(yt(),s);n=new xn(a,r,e,e.options)}else{let a=n._$AB.nextSibling,r=n._$AM,l=r!==e;if(l){let i;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(i=e._$AU)!==r._$AU&&n._$AP(i)}if(a!==s||l){let i=n._$AA;for(;i!==a;){let u=$t(i).nextSibling;$t(o).insertBefore(i,s),i=u}}}return n},D=(e,t,n=e)=>(e._$AI(t,n),e),_n={},_e=(e,t=_n)=>e._$AH=t,vt=e=>e._$AH,Ae=e=>{e._$AR(),e._$AA.remove()};var wt=(e,t,n)=>{let o=new Map;for(let s=t;s<=n;s++)o.set(e[s],s);return o},ke=xe(class extends Y{constructor(e){if(super(e),e.type!==ht.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,n){let o;n===void 0?n=t:t!==void 0&&(o=t);let s=[],a=[],r=0;for(let l of e)s[r]=o?o(l,r):r,a[r]=n(l,r),r++;return{values:a,keys:s}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,o]){let s=vt(e),{values:a,keys:r}=this.dt(t,n,o);if(!Array.isArray(s))return this.ut=r,a;let l=this.ut??=[],i=[],u,c,d=0,p=s.length-1,f=0,$=a.length-1;for(;d<=p&&f<=$;)if(s[d]===null)d++;else if(s[p]===null)p--;else if(l[d]===r[f])i[f]=D(s[d],a[f]),d++,f++;else if(l[p]===r[$])i[$]=D(s[p],a[$]),p--,$--;else if(l[d]===r[$])i[$]=D(s[d],a[$]),X(e,i[$+1],s[d]),d++,$--;else if(l[p]===r[f])i[f]=D(s[p],a[f]),X(e,s[d],s[p]),p--,f++;else if(u===void 0&&(u=wt(r,f,$),c=wt(l,d,p)),u.has(l[d]))if(u.has(l[p])){let h=c.get(r[f]),v=h!==void 0?s[h]:null;if(v===null){let _=X(e,s[d]);D(_,a[f]),i[f]=_}else i[f]=D(v,a[f]),X(e,s[d],v),s[h]=null;f++}else Ae(s[p]),p--;else Ae(s[d]),d++;for(;f<=$;){let h=X(e,i[$+1]);D(h,a[f]),i[f++]=h}for(;d<=p;){let h=s[d++];h!==null&&Ae(h)}return this.ut=r,_e(e,i),I}});var Tt={approve:"Approve",deny:"Deny"},An={approve:"approving…",deny:"denying…",gone:"kernel is gone"};function xt(e,t,n){return m`<div class="nbagent-approvals" ?hidden=${!e.length}>
    ${ke(e,Se,o=>{let s=t.get(Se(o)),a=r=>m`<button
          type="button"
          class=${`nbagent-button nbagent-${r}`}
          aria-label=${`${Tt[r]} ${o.by?`for ${o.by}: `:""}${o.call}`}
          aria-disabled=${s!==void 0}
          @click=${()=>n(o,r)}
        >${Tt[r]}</button>`;return m`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!o.by}>${o.by}</span><code class="nbagent-asked">${o.call}</code>
        </div>
        <div class="nbagent-choice">
          ${a("approve")}${a("deny")}<span class="nbagent-said">${s?An[s]:""}</span>
        </div>
      </div>`})}
  </div>`}var _t=xe(class extends Y{constructor(){super(...arguments),this.key=g}render(e,t){return this.key=e,t}update(e,[t,n]){return t!==this.key&&(_e(e),this.key=t),n}});var kn=[["table","Table"],["tree","Tree"]],Sn=3,Cn=20;function At(e,t,n){let o=t??e.form;return m`<div class="nbagent-structured" ?hidden=${!e.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!e.table||!e.tree}>
      ${kn.map(([s,a])=>m`<button type="button" class="nbagent-group" aria-pressed=${s===o} @click=${()=>n(s)}>${a}</button>`)}
    </div>
    <div class="nbagent-form" role="region" aria-label="structured answer">
      ${o==="tree"&&e.tree?kt(e.tree.kids??[],1):e.table?Rn(e.table):g}
    </div>
    <p class="nbagent-more" ?hidden=${o==="tree"||!e.more}>${e.more}</p>
  </div>`}function Rn({columns:e,numeric:t,cells:n}){let o=s=>t[s]?"nbagent-number":"";return m`<table>
    <thead>
      <tr>${e.map((s,a)=>m`<th scope="col" class=${o(a)}>${s}</th>`)}</tr>
    </thead>
    <tbody>
      ${n.map(s=>m`<tr>${s.map((a,r)=>m`<td class=${o(r)}>${a}</td>`)}</tr>`)}
    </tbody>
  </table>`}function kt(e,t){return m`<ul class="nbagent-tree">
    ${e.map(({name:n,kind:o,text:s,note:a,kids:r})=>{if(!r){let i=n?m`<span class="nbagent-key">${n}</span>`:g;return m`<li class="nbagent-leaf-line">${i}<span class="nbagent-leaf" data-kind=${o}>${s}</span></li>`}let l=t<Sn&&r.length<=Cn;return _t(`${n} ${r.length}`,m`<li>
          <details ?open=${l}>
            <summary><span class="nbagent-key">${n}</span><span class="nbagent-note">${a}</span></summary>
            ${kt(r,t+1)}
          </details>
        </li>`)})}
  </ul>`}var Mn=32,En={ready:"Cancel",heard:"cancelling…",waiting:"waits for the kernel",gone:"kernel is gone"};function St(e,t,n){let o=document.createTextNode(""),s=document.createElement("div");s.className="nbagent-answer",s.setAttribute("role","region"),s.setAttribute("aria-label","answer"),s.append(o);let a=null,r=null;e.classList.add("nbagent");let l=d=>{a=d,r=null,i()},i=()=>{let d=e.querySelector(".nbagent-card"),p=d?.contains(document.activeElement)?document.activeElement:null;if(R(On(t,s,a,n,l),e),p&&(!p.isConnected||p.hidden)&&d?.focus({preventScroll:!0}),r!==t.row){r=t.row;for(let $ of e.querySelectorAll(".nbagent-prose, .nbagent-form"))fe($)}},u=d=>{let p=s.scrollHeight-s.scrollTop-s.clientHeight<Mn;d===null||o.length+d.length!==t.text.length?o.data=t.text:d&&o.appendData(d),s.hidden=!t.text||!!t.row.html,p&&!t.row.final&&(s.scrollTop=s.scrollHeight),fe(s)},c=setInterval(()=>t.row.final||i(),1e3);return{update(d){i(),u(d)},end:()=>clearInterval(c)}}function On(e,t,n,o,s){let{row:a}=e;return m`<section class="nbagent-card" tabindex="-1" data-status=${a.status} aria-label=${`run ${a.title}`}>
    ${Nn(e,o)}
    <p class="nbagent-banner" ?hidden=${!a.banner}>${a.banner}</p>
    <div class="nbagent-body">
      ${Dn(a.members)}
      <p class="nbagent-waiting" ?hidden=${!a.waiting}>${a.waiting}</p>
      ${xt(a.approvals,e.decided,o.decide)} ${At(a,n,s)}
      <div
        class="nbagent-prose"
        role="region"
        aria-label="answer"
        ?hidden=${!a.html}
        .innerHTML=${a.html??""}
      ></div>
      ${a.form?g:t}
      <details class="nbagent-raw" ?hidden=${!a.form}>
        <summary>raw answer</summary>
        ${a.form?t:g}
      </details>
      ${Hn(a)}
      <div class="nbagent-error" ?hidden=${!a.error.some(Boolean)}>
        ${a.error.filter(Boolean).map((r,l)=>m`<p class=${l?"nbagent-todo":"nbagent-what"}>${r}</p>`)}
      </div>
    </div>
    ${Ln(a)}
  </section>`}function Nn({row:e,cancel:t,beganAt:n},o){let s=e.began_ms===null?"":j(performance.now()-n),a=En[t];return m`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${e.reason?`${e.status}: ${e.reason}`:e.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${e.title}</span
      ><span class="nbagent-origin">${[e.agent,e.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${e.final?e.took:s}</span>
    ${e.final?g:Te()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${e.final}
      aria-disabled=${t!=="ready"}
      aria-label=${t==="ready"?`Cancel ${e.title}`:a}
      @click=${o.cancel}
    >${a}</button>
  </header>`}function Dn(e){return m`<ul class="nbagent-members" aria-label="members" ?hidden=${!e.length}>
    ${e.map(t=>m`<li class="nbagent-member" data-status=${t.status} style=${`padding-inline-start: ${(t.depth-1)*1.5}em`}>
          <span class="nbagent-name">${t.name}</span><span class="nbagent-state">${t.status}</span
          ><span class="nbagent-value">${t.tokens}</span>
        </li>`)}
  </ul>`}function Hn(e){let t=[...e.calls.map(n=>["call",n]),...e.called?[["called",e.called]]:[],...e.retry?[["retry",e.retry]]:[],...e.notices.map(n=>["notice",n])];return m`<div class="nbagent-activity" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<p class=${`nbagent-${n}`}>${o}</p>`)}
  </div>`}function Ln(e){return m`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!e.facts.length}>
      ${e.facts.map(([t,n])=>m`<span class="nbagent-fact" title=${n==="?"?"the provider did not say":g}
            ><span class="nbagent-name">${t} </span><span class="nbagent-value">${n}</span></span
          >`)}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${e.code}</code>${O(e.code,`Copy ${e.code}`)}
    </div>
  </footer>`}var Se=e=>`${e.run_id} ${e.step} ${e.tool_call_id}`,Pn={run_id:"",title:"",agent:"",model:"",banner:"",status:"pending",reason:"",final:!1,began_ms:null,waiting:"",approvals:[],calls:[],called:"",members:[],retry:"",notices:[],error:[],table:null,tree:null,more:"",form:"",html:null,took:"",facts:[],code:""};function Ce(){let e={row:Pn,text:"",beganAt:0,cancel:"ready",decided:new Map},t=new Set,n=new G(()=>{}),o=c=>t.forEach(d=>d.update(c)),s=c=>{e.beganAt=performance.now()-Math.max(0,c-(e.row.began_ms??c))},a=c=>{let d=e.row.run_id===c.run_id?e.row.status:void 0;e.row=c;let p=re(d,c.status);p&&ae(c.run_id,p,c)},r=c=>{c?.row&&(n.restart(c.seq),a(c.row),e.text=c.text,e.decided.clear(),s(c.now_ms),o(null))},l=c=>{n.accept(c?.seq)&&(c.row&&(a(c.row),s(c.now_ms)),e.text+=c.append,o(c.append))},i=async c=>{if(e.cancel!=="ready"||e.row.final)return;e.cancel="heard",o("");let d=await N(c,"cancel",e.row.run_id);d==="none"?e.cancel="gone":d==="comm"&&setTimeout(()=>{e.cancel==="heard"&&(e.cancel="waiting"),o("")},3e3),o("")},u=async(c,d,p)=>{let f=Se(d);if(e.decided.has(f)||e.row.final)return;e.decided.set(f,p),o("");let $={tool_call_id:d.tool_call_id,step:d.step,card:e.row.run_id};await N(c,p,d.run_id,$)==="none"&&e.decided.set(f,"gone"),o("")};return{initialize(c){n=new G(()=>{N(c,"resend",e.row.run_id)}),r(c.get("card")),c.on("change:card",()=>r(c.get("card"))),c.on("msg:custom",l)},render(c,d){let p=St(d,e,{cancel:()=>{i(c)},decide:($,h)=>{u(c,$,h)}}),f=be(c.get("key"));return t.add(p),p.update(null),()=>{t.delete(p),p.end(),f()}}}}function Ct(e){let t=new Map,n=(l,i)=>(t.get(l)??[]).forEach(u=>u(i)),o=new Set,s=Ce(),a={get:l=>({card:r.card,key:""})[l],on:(l,i)=>{t.set(l,[...t.get(l)??[],i])},send:l=>e.send(l),get widget_manager(){return e.widget_manager}},r={card:null,details:null,hear(l){if("card"in l){let i=r.card===null;r.card=l.card,i?s.initialize(a):n("change:card")}else"details"in l?r.details=l.details:n("msg:custom",l);o.forEach(i=>i())},follow(l){return o.add(l),()=>{o.delete(l)}},renderCard:l=>s.render(a,l)};return r}var Bn=60*1e3,Rt=(e,t,n="",o)=>({key:e,line:t,batchId:n,kids:t?null:[],sums:null,told:o,unfolded:!1});function Re(e,t){let n=new Map;for(let[a,r]of e)n.set(a,Rt(a,r));let o=[],s=new Map;for(let a of n.values()){let r=a.line.row,l=r.parent===null?void 0:n.get(r.parent);if(l&&l!==a)(l.kids??=[]).push(a);else if(r.batch){let i=s.get(r.batch);i||(i=Rt(`batch ${r.batch}`,null,r.batch,t.get(r.batch)),s.set(r.batch,i),o.push(i)),i.kids?.push(a)}else o.push(a)}return o}var Et=e=>({status:e.status,title:e.title,model:e.model,created:e.created_ms,began:e.began_ms,ended:e.ended_ms,tokens:e.tokens,cost:e.cost,priced:e.priced,of:0,open:0,waiting:+(e.status==="paused"),failed:0,cancelled:0,ends:[],rate:null,endless:!1});function E(e){return e.line&&!e.kids?Et(e.line.row):e.sums??=Fn(e)}function Fn(e){let t=(e.kids??[]).map(E),n=e.line?Et(e.line.row):null,o=n?[n,...t]:t,s=d=>o.map(p=>p[d]).filter(p=>p!==null),a=d=>{let p=s(d);return p.length?p.reduce((f,$)=>f+$,0):null},r=t.filter(d=>d.status==="cancelled").length,l=e.told?Wn(e.told,r):null,i=l?l.open:t.filter(d=>!x(d.status)).length,u=o.map(d=>d.priced).filter(d=>d!==null),c=s("ended");return{status:n?n.status:In(t,i,!!l?.cancelled),title:n?.title??t[0]?.title??"batch",model:n?.model??t[0]?.model??"",created:n?n.created:Mt(s("created")),began:n?n.began:Mt(s("began")),ended:n?n.ended:i?null:Un(c),tokens:a("tokens"),cost:a("cost"),priced:u.length?u.every(Boolean):null,of:t.length,open:i,waiting:o.reduce((d,p)=>d+p.waiting,0),failed:t.filter(d=>ye(d.status)).length,cancelled:r,ends:c,rate:null,endless:!1,...l}}function In(e,t,n){if(t)return"running";let o=new Set(e.map(s=>s.status));return n&&o.add("cancelled"),o.size===1?e[0]?.status??"incomplete":"incomplete"}function Wn({total:e,done:t,failed:n,not_asked:o,rate:s,finished:a},r){let l=t+n+o,i=a?0:Math.max(1,(e??l+1)-l),u=a?Math.min(n,r):0;return{of:l+i,open:i,failed:n-u,cancelled:u+o,rate:s,endless:e===null}}function Vn({began:e,ended:t,ends:n,of:o,rate:s},a){if(s!==null)return s;if(e===null||!n.length)return 0;if(t!==null)return t>e?1e3*o/(t-e):0;let r=Math.max(e,a-Bn),l=n.reduce((i,u)=>i+ +(u>=r),0);return a-r<1e3?0:1e3*l/(a-r)}function Ot(e,t){let n=e.of-e.open,o=Vn(e,t),s=e.open>0&&!e.endless;return[e.endless?T(n):e.open?`${T(n)} of ${T(e.of)}`:`all ${T(e.of)} ended`,e.waiting?`${T(e.waiting)} ${e.waiting===1?"waits":"wait"} for you`:"",e.failed?`${T(e.failed)} failed`:"",e.cancelled?`${T(e.cancelled)} cancelled`:"",s?`${T(e.open)} left`:"",o?ft(o):"",o&&s?`${j(1e3*e.open/o)} to go`:""].filter(Boolean)}function je(e){for(let t of e)t.kids&&(t.sums=null,je(t.kids))}var Mt=e=>e.length?e.reduce((t,n)=>n<t?n:t):null,Un=e=>e.length?e.reduce((t,n)=>n>t?n:t):null;var Nt={command:null,word:""},jn=new Set(["error","timeout","interrupted"]),Gn={cancel:"cancelling…",cancel_batch:"cancelling…",retry:"retrying…",retry_batch:"retrying…",resume:"resuming…",approve:"approving…",deny:"denying…"},Ge=e=>e.line?e.key:e.batchId,Me=e=>e==="cancel"||e==="cancel_batch";function K(e,t){if(t.gone)return Nt;let n=t.asked.get(Ge(e));if(n)return{command:null,word:n.how==="waiting"?"waiting…":Gn[n.name]??"…"};let{status:o}=E(e);return x(o)?e.told?.failed?{command:"retry_batch",word:"Retry"}:!e.line||e.line.row.parent?Nt:jn.has(o)?{command:"resume",word:"Resume"}:{command:"retry",word:"Retry"}:{command:e.line?"cancel":"cancel_batch",word:"Cancel"}}function Ht(e,t){let{setup:n,steps:o,messages:s}=e,a=e.left?m`<p class="nbagent-more">${T(e.left)} earlier messages are in the store</p>`:g;return[n.instructions||n.tools.length||n.settings.length?J("Setup",0,!1,Kn(n)):g,o.rows.length?J("Steps",o.rows.length,!0,qn(o.rows,t)):g,e.traceback?J("Traceback",0,!1,z(e.traceback)):g,s.length?J("Messages",s.length+e.left,!1,[a,s.map(Xn)]):e.prompt?J("Prompt",0,!1,z(e.prompt)):g,J("About",0,!1,[Lt(e.about),Jn(e.code)])]}function J(e,t,n,o){let s=t?m`<span class="nbagent-count"> ${T(t)}</span>`:g;return m`<details class="nbagent-section" data-name=${e} ?open=${n}>
    <summary>${e}${s}</summary>
    <div class="nbagent-section-body">${o}</div>
  </details>`}function Kn({instructions:e,tools:t,settings:n}){return[e?m`<p class="nbagent-label">System prompt</p>${z(e)}`:g,t.length?m`<p class="nbagent-label">Tools</p>`:g,m`${t.map(o=>m`<details class="nbagent-tool">
          <summary><code class="nbagent-tool-call">${o.name}</code><span class="nbagent-tool-note">${zn(o.description)}</span></summary>
          ${o.description.includes(`
`)?z(o.description):g}${z(o.parameters)}
        </details>`)}`,n.length?m`<p class="nbagent-label">Settings</p>${Lt(n)}`:g]}var zn=e=>e.split(`
`,1)[0]??"",Dt=e=>[e.kind,e.depth,e.step,e.at_ms,e.name].join(" ");function qn(e,{open:t,toggle:n,span:o}){return m`<ol class="nbagent-steps">
    ${ke(e,Dt,s=>{let a=Dt(s),r=`left: ${100*s.at_ms/o}%; width: ${Math.max(.6,100*s.ms/o)}%`,l=s.status==="completed"||s.kind==="pause"?"":`${s.status} · `,i=s.kind==="model"?`${s.step} · ${s.name}`:s.name;return m`<li class="nbagent-step" data-kind=${s.kind} data-status=${s.status} style=${`--nb-depth: ${s.depth}`}>
        <button type="button" class="nbagent-step-head" aria-expanded=${t.has(a)} @click=${()=>n(a)}>
          <span class="nbagent-step-name" title=${i}>${i}</span>
          <span class="nbagent-track" aria-hidden="true"><span class="nbagent-bar" style=${r}></span></span>
          <span class="nbagent-step-note">${l+s.note}</span>
        </button>
        ${t.has(a)?Yn(s):g}
      </li>`})}
  </ol>`}function Yn(e){let t=(n,o)=>{let s=o.filter(a=>a.text);return s.length?m`${s.map(({role:a,text:r})=>m`<p class="nbagent-label">${a===n?n:`${n}: ${a}`}</p>${z(r)}`)}`:g};return m`<div class="nbagent-step-body">
    ${e.about?m`<p class="nbagent-more">${e.about}</p>`:g} ${t("in",e.given)} ${t("out",e.came)}
  </div>`}function Xn(e){return m`<div class="nbagent-message">
    <p class="nbagent-label">${[e.role,e.name].filter(Boolean).join(" · ")}</p>
    ${e.text?z(e.text):g}
    ${e.calls.map(t=>m`<p class="nbagent-call">calls ${t}</p>`)}
    ${e.files.map(t=>m`<p class="nbagent-more">${t}</p>`)}
  </div>`}function z(e){return m`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${e}</pre>
    ${O(e)}
  </div>`}function Lt(e){return m`<dl class="nbagent-pairs">${e.map(([t,n])=>m`<dt>${t}</dt><dd>${n}</dd>`)}</dl>`}function Jn(e){return m`<p class="nbagent-access">
    <code class="nbagent-code">${e}</code>${O(e,`Copy ${e} from the list`)}
  </p>`}function Pt(e,t,n){let{run:o,close:s}=n,a=new Set,r=p=>{a.delete(p)||a.add(p),c()},l=document.createElement("article");l.className="nbagent-opened",l.setAttribute("aria-label","opened run"),l.addEventListener("keydown",p=>{p.key==="Escape"&&s()});let i=document.createElement("div");i.className="nbagent-opened-card";let u=null;e.append(l);let c=()=>{R(Qn(t,i,n,{open:a,toggle:r,span:n.span()}),l),o.card&&!u&&(u=o.renderCard(i))},d=o.follow(n.redraw);return c(),requestAnimationFrame(()=>l.scrollIntoView({block:"nearest",behavior:"auto"})),{update:c,end(){d(),u?.(),l.remove()}}}function Qn(e,t,n,o){let{state:s,run:a,command:r,close:l}=n,i=s.rows.get(e),[u]=i?Re(new Map([[e,i]]),new Map):[],{command:c,word:d}=u?.line?K(u,s):{command:null,word:""},p=d&&!Me(c)&&d!=="cancelling…",f=s.gone?"It cannot be opened: the kernel is gone.":"Opening…";return m`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${i?i.row.prompt||i.row.title:e}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!p}
        aria-disabled=${!c}
        @click=${()=>c&&r(c,e)}
      >${d}</button>
      ${Zn(a.details)}
      <button
        type="button"
        class="nbagent-button nbagent-compare"
        title="The next run that you open stands beside this one"
        aria-pressed=${n.comparing()}
        @click=${n.compare}
      >Compare</button>
      <button type="button" class="nbagent-button nbagent-shut" @click=${l}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${a.card!==null}>${f}</p>
    ${t}
    <div class="nbagent-sections">${a.details?Ht(a.details,o):g}</div>`}function Zn(e){if(!e)return g;let t=e.answer?O(e.answer,"","Copy answer"):g;return m`${t}${O(e.code,`Copy ${e.code}`,"Copy code")}`}var Ft={status:e=>e.status,title:e=>e.title.toLowerCase(),model:e=>e.model.toLowerCase(),tokens:e=>e.tokens,cost:e=>e.cost,time:(e,t)=>e.began===null?null:(e.ended??t)-e.began,created:e=>e.created},It=e=>e in Ft;function Wt(e){if(e.hay===null){let{title:t,agent:n,model:o,session:s,id:a,prompt:r,says:l,error:i,batch:u}=e.row;e.hay=[t,n,o,s??"",a,r,l,i,u??""].join(`
`).toLowerCase()}return e.hay}var Bt=(e,t=0)=>t||e==="paused"?0:e==="running"?1:e==="pending"?2:3;function eo(e,t,n){if(!t&&e.line&&!e.kids){let{status:a,created_ms:r}=e.line.row;return{node:e,value:null,first:Bt(a),created:r??0}}let o=E(e),s=t?Ft[t.by](o,n):null;return{node:e,value:s,first:Bt(o.status,o.waiting),created:o.created??0}}function to(e,t,n){let o=e.map(a=>eo(a,t,n)),s=(a,r)=>r.created-a.created||(a.node.key<r.node.key?1:-1);return o.sort((a,r)=>t?a.value===null||r.value===null?+(a.value===null)-+(r.value===null)||s(a,r):a.value===r.value?s(a,r):(a.value<r.value?-1:1)*(t.down?-1:1):a.first-r.first||s(a,r)),o.map(a=>a.node)}var Vt={self:!0,kids:new Map};function Ut(e,t){let n=e.line?t.test(e.line):!1;if(!e.kids)return n?Vt:null;let o=jt(e.kids,t);return n||o.size?{self:n,kids:o}:null}function jt(e,t){let n=new Map;for(let o of e){let s=Ut(o,t);s&&n.set(o,s)}return n}function Gt(e,t,n,o,s){let a=[],r=(l,i,u)=>{for(let c of to([...l.keys()],u,s)){let d=l.get(c);if(a.push({node:c,depth:i}),c.unfolded=o.get(c.key)??(t.narrow&&!d.self&&d.kids.size>0),!c.unfolded||!c.kids)continue;let f=d.self&&c.line?new Map(c.kids.map($=>[$,Ut($,t)??Vt])):d.kids;r(f,i+1,u??(c.line?{by:"created",down:!1}:null))}};return r(jt(e,t),0,n),a}var Ee=[["all","All",()=>!0],["waiting","Waiting",e=>e==="paused"],["running","Running",e=>!x(e)],["completed","Completed",e=>e==="completed"],["failed","Failed",ye],["cancelled","Cancelled",e=>e==="cancelled"]],Oe=["agent","model","session"],Ke={text:"",group:"all",agent:"",model:"",session:""};function ze(e){let t=e.text.toLowerCase().split(/\s+/).filter(Boolean),n=Ee.find(([o])=>o===e.group)?.[2]??(()=>!0);return{narrow:!!(t.length||e.agent||e.model||e.session||e.group!=="all"),test(o){let{row:s}=o;if(!n(s.status))return!1;for(let a of Oe)if(e[a]&&s[a]!==e[a])return!1;return!t.length||t.every(a=>Wt(o).includes(a))}}}function Kt(e,t){let n={runs:0,running:0,tokens:null,cost:null,priced:0,called:0,counts:{all:0,waiting:0,running:0,completed:0,failed:0,cancelled:0}};for(let o of e){let{row:s}=o;for(let[a,,r]of Ee)r(s.status)&&(n.counts[a]+=1);t.test(o)&&(n.runs+=1,x(s.status)||(n.running+=1),s.tokens!==null&&(n.tokens=(n.tokens??0)+s.tokens),s.priced!==null&&(n.called+=1),s.cost!==null&&(n.cost=(n.cost??0)+s.cost,n.priced+=1))}return n}var no=200;function zt(e,t,n){let o=new Map;for(let{row:r}of e){let l=r[t];l&&o.set(l,(o.get(l)??0)+1)}let a=[...o].filter(([,r])=>t!=="session"||r>1).slice(0,no).map(([r])=>r).sort();return n&&!a.includes(n)&&a.push(n),a}var oo=["This panel’s kernel is gone; what it showed last is below.","Run the cell again for a live one."];function qt(e,t,n){let o=document.createElement("div");o.className="nbagent-bars";let s=null,a=!1,r={agent:[],model:[],session:[]};return{el:o,sum(i){s=Kt(e.rows.values(),i),a=i.narrow},choose(){r={agent:[],model:[],session:[]};for(let i of Oe)r[i]=zt(e.rows.values(),i,t[i])},draw:()=>{let i=s?.counts.running??0;R(m`${ro(e,t,s,a,i,n)}${io(e)}${lo(e,t,s,r,n)}`,o),o.parentElement?.toggleAttribute("data-gone",e.gone)}}}function so(e,t,n){let o=t.group==="waiting";if(!e&&!o)return g;let s=()=>{t.group=o?"all":"waiting",n.refilter()},a=e===1?"1 waits for you":e?`${T(e)} wait for you`:"none waits";return m`<button type="button" class="nbagent-button nbagent-waits" aria-pressed=${o} @click=${s}>${a}</button>`}function ro(e,t,n,o,s,a){let r=e.asked.has(""),l=s>0&&!e.gone&&e.only===null,i=r?"cancelling…":s>1?`Cancel all ${T(s)}`:"Cancel it";return m`<div class="nbagent-panel-head">
    ${so(n?.counts.waiting??0,t,a)}
    <p class="nbagent-totals" role="status">${n?ao(e,n,o):"nbagent"}</p>
    ${e.gone?g:Te()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!l}
      aria-disabled=${r}
      @click=${()=>a.command("cancel_all","")}
    >${i}</button>
  </div>`}function ao(e,t,n){if(!e.rows.size)return"nbagent";let o=n?e.rows.size:Math.max(e.total,e.rows.size);return[t.running?`${T(t.running)} running`:"",t.runs<o?`${T(t.runs)} of ${T(o)} runs`:U(o,"run"),t.tokens===null?"":`${he(t.tokens)} tokens`,t.cost===null?"":$e(t.cost),t.priced<t.called?`cost known for ${T(t.priced)} of ${T(t.called)}`:""].filter(Boolean).join(" · ")}function io(e){let t=[...e.gone?[oo]:[],...e.trouble.length&&!e.gone?[e.trouble]:[],...e.said];return m`<div class="nbagent-trouble" role="alert" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<div class="nbagent-one-trouble"><p class="nbagent-what">${n}</p><p class="nbagent-todo">${o}</p></div>`)}
  </div>`}function lo(e,t,n,o,s){let a=(r,l)=>{t[r]=l,s.refilter()};return m`<div class="nbagent-filters" role="search" ?hidden=${!e.rows.size||e.only!==null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${Ee.map(([r,l])=>m`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${t.group===r}
            @click=${()=>a("group",r)}
          >${l}<span class="nbagent-count"> ${T(n?.counts[r]??0)}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${t.text}
      @input=${r=>a("text",r.target.value)}
    />
    ${Oe.map(r=>m`<select
          class="nbagent-select"
          aria-label=${`Filter by ${r}`}
          ?hidden=${o[r].length<2&&!t[r]}
          @change=${l=>a(r,l.target.value)}
        >
          <option value="" ?selected=${!t[r]} .selected=${!t[r]}>Any ${r}</option>
          ${o[r].map(l=>m`<option value=${l} .selected=${l===t[r]}>${l}</option>`)}
          ${g}
        </select>`)}
  </div>`}var Yt=[["status","Status"],["title","Run"],["model","Model"],["says","Answer"],["tokens","Tokens"],["cost","Cost"],["time","Time"],["created","Launched"],["action",""]];function Xt({node:e,depth:t},n,o,s){let{seen:a,state:r,now:l}=s,i=E(e),u=e.line?.row??null,c=K(e,r),d=x(i.status)?"?":"",p=e.kids?u?`+${e.kids.length}`:`× ${T(i.of)}`:"",f=i.cost===null?d:`${i.priced?"":"≥ "}${$e(i.cost)}`;return m`<div
    class="nbagent-line"
    role="row"
    id=${n}
    style=${`transform: translateY(${o*H}px); --nb-depth: ${t}`}
    data-key=${e.key}
    data-status=${i.status}
    data-offer=${`${e.key} ${c.command}`}
    aria-rowindex=${o+2}
    aria-level=${t+1}
    aria-selected=${a.open.includes(e.key)}
    aria-expanded=${e.kids?e.unfolded:g}
    ?data-active=${a.active===e.key}
    ?data-batch=${!u}
    ?data-asks=${!!u?.asks}
    ?data-waits=${i.waiting>0}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${u?.reason?`${i.status}: ${u.reason}`:i.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!e.kids}></span
      ><span class="nbagent-title">${i.title}</span><span class="nbagent-kids">${p}</span></div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${i.model}</div>
    ${u?.asks?co(u,u.asks,r):u?uo(u,i.waiting):po(i,l)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${i.tokens===null?d:T(i.tokens)}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${f}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${mo(i,l)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${i.created===null?"":gt(i.created,l)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${c.command??""}
        aria-disabled=${!c.command}
        aria-label=${`${c.word} ${i.title}`}
        ?hidden=${!c.word}
      >${c.word}</button></div
    >
  </div>`}function co(e,[t,n,o],s){let a=s.asked.has(e.id)||s.gone,r=(i,u)=>m`<button
      type="button"
      class=${`nbagent-button nbagent-act nbagent-${i}`}
      tabindex="-1"
      data-part=${i}
      aria-disabled=${a}
      aria-label=${`${u} ${n}`}
    >${u}</button>`,l=o===void 0?g:m`${r("approve","Approve")}${r("deny","Deny")}`;return m`<div class="nbagent-cell nbagent-c-says nbagent-asks" role="gridcell" ?data-one=${o!==void 0}
    ><code class="nbagent-asked-line" title=${n}>${n}</code>${l}<button
      type="button"
      class="nbagent-button nbagent-act nbagent-review"
      tabindex="-1"
      data-part="row"
      aria-label=${`Review ${e.title}`}
    >${t>1?`Review ${t}`:"Review"}</button></div
  >`}function uo(e,t){let n=t?`${U(t,"member")} ${t===1?"waits":"wait"} for you`:"",o=e.error||n||e.says;return m`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!o}
    ?data-error=${!!e.error}
  >${o||e.prompt}</div>`}function po(e,t){let n=Ot(e,t),o=e.of-e.open,s=[["completed",o-e.failed-e.cancelled],["failed",e.failed],["cancelled",e.cancelled]];return m`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${n.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${e.title}`}
      aria-valuemin="0"
      aria-valuemax=${e.of}
      aria-valuenow=${o}
      aria-valuetext=${n.join(", ")}
    >${s.map(([a,r])=>m`<div class=${`nbagent-progress-part nbagent-p-${a}`} style=${`width: ${100*r/e.of}%`}></div>`)}</div>${n.join(" · ")}</div
  >`}function mo(e,t){return e.began===null?"":e.ended!==null?mt(e.ended-e.began):j(x(e.status)?0:t-e.began)}var H=34,Ne=12,go=6,Jt=6,fo=300,bo=0;function Zt(e){let t=`nbagent-grid-${bo+=1}-${Math.random().toString(36).slice(2,8)}`,n=ho(),o=(c,d)=>{let p=document.createElement("div");return p.className=`nbagent-${c}`,d&&p.setAttribute("role",d),p},s=o("grid-head","rowgroup"),a=o("sizer","rowgroup"),r=o("empty",null);n.append(s,a,r),R(Qt(e.sort,null),s);let l=new qe(a),i=0,u=-1;return n.addEventListener("scroll",e.scroll,{passive:!0}),n.addEventListener("keydown",c=>{c.target===n&&e.key(c)}),a.addEventListener("click",c=>{let d=c.target,p=d.closest(".nbagent-line");if(!p)return;let f=d.closest("[data-part]")?.dataset.part??"row";f!=="row"&&f!=="twist"&&!l.meant(c,p)||f==="row"&&String(getSelection())||e.click(p.dataset.key??"",f)}),new ResizeObserver(e.scroll).observe(n),{el:n,showSort:c=>{R(Qt(e.sort,c),s)},showEmpty(c,d){r.hidden=!c,s.hidden=a.hidden=!!c,R(c?$o(c,d):g,r)},reveal(c){let d=s.offsetHeight,p=c*H;p<n.scrollTop?n.scrollTop=p:p+H+d>n.scrollTop+n.clientHeight&&(n.scrollTop=p+H+d-n.clientHeight)},paint(c,d){let{lines:p}=c,f=`${p.length*H}px`;a.style.height!==f&&(a.style.height=f);let $=Math.min(c.open.length?go:Ne,Math.max(1,p.length));$!==i&&n.style.setProperty("--nb-rows",String(i=$)),p.length!==u&&n.setAttribute("aria-rowcount",String((u=p.length)+1));let h=Math.max(0,Math.floor(n.scrollTop/H)-Jt),v=Math.min(p.length,Math.ceil((n.scrollTop+n.clientHeight)/H)+Jt),_=ie(d),A=p.slice(h,v);R(A.map((S,C)=>Xt(S,`${t}-${C}`,h+C,{seen:c,state:d,now:_})),a),l.look();let k=A.findIndex(S=>S.node.key===c.active);k>=0?n.setAttribute("aria-activedescendant",`${t}-${k}`):n.removeAttribute("aria-activedescendant")}}}function ho(){let e=document.createElement("div");return e.className="nbagent-grid",e.tabIndex=0,e.setAttribute("role","treegrid"),e.setAttribute("aria-label","Runs"),e.setAttribute("aria-description","Enter opens a run, Right and Left unfold and fold, Delete cancels."),e}var qe=class{constructor(t){this.home=t;t.addEventListener("pointerdown",n=>{let o=n.target.closest(".nbagent-line");this.#n=o&&!o.hasAttribute("data-moved")?o.dataset.offer??null:null})}home;#e=new WeakMap;#t=new WeakMap;#n=null;meant(t,n){return!t.detail||this.#n===n.dataset.offer}look(){for(let t of this.home.children){let n=t.dataset.offer??"",o=this.#e.get(t);this.#e.set(t,n),!(o===void 0||o===n)&&(t.setAttribute("data-moved",""),clearTimeout(this.#t.get(t)),this.#t.set(t,setTimeout(()=>t.removeAttribute("data-moved"),fo)))}}};function Qt(e,t){return m`<div class="nbagent-line" role="row">
    ${Yt.map(([n,o])=>{let s=t?.by===n?t.down?"descending":"ascending":g;return m`<div class=${`nbagent-cell nbagent-c-${n}`} role="columnheader" aria-sort=${s}>
        ${It(n)?m`<button type="button" class="nbagent-sort" @click=${()=>e(n)}>${o}</button>`:o||m`<span class="nbagent-unseen">Action</span>`}
      </div>`})}
  </div>`}function $o([e,t],n){let o=t==="clear"?m`<button type="button" class="nbagent-button" @click=${n}>Clear filters</button>`:t?m`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${t}</pre>`:g;return m`<p>${e}</p>
    ${o}`}var yo=new Set(["tokens","cost","time","created"]),vo={tokens:["tokens"],cost:["cost"],time:["began_ms","ended_ms"]},wo=`%%agent_bg
What is the capital of France?`;function en(e,t){let{state:n,command:o}=t,s={...Ke},a=new Map,r={sort:null,lines:[],active:null,open:[]},l=new Map,i=new Map,u=!1,c=null,d=0,p=document.createElement("section");p.className="nbagent-panel",p.setAttribute("aria-label","nbagent runs"),p.dataset.lmSuppressShortcuts="true";let f=qt(n,s,{refilter:k,command:o}),$=Zt({sort:S,key:rn,click:Ye,scroll:ee}),h=document.createElement("div");h.className="nbagent-below",p.append(f.el,$.el,h),e.classList.add("nbagent"),e.append(p);function v(){c??=Re(n.rows,n.batches);let b=ze(s);r.lines=Gt(c,b,r.sort,a,ie(n)),r.lines.some(y=>y.node.key===r.active)||(r.active=r.lines[0]?.node.key??null),f.sum(b),$.showEmpty(_(),A)}function _(){return r.lines.length?null:!n.loaded&&!n.trouble.length?["Reading the record…",""]:n.rows.size?["No run matches.","clear"]:n.trouble.length?["The record cannot be read now.",""]:n.only?["No row is asked yet.",""]:["No runs yet.",wo]}function A(){Object.assign(s,Ke),k()}function k(){$.el.scrollTop=0,v(),f.draw(),ee()}function S(b){let y=yo.has(b);r.sort?.by!==b?r.sort={by:b,down:y}:r.sort=r.sort.down===y?{by:b,down:!y}:null,$.showSort(r.sort),v(),ee()}function C(b){let y=Math.max(0,Math.min(r.lines.length-1,b)),w=r.lines[y];w&&(r.active=w.node.key,$.reveal(y),Z())}function Q(b,y=!b.unfolded){b.kids&&(a.set(b.key,y),v(),Z())}function De(b){let[y]=r.open;r.open.includes(b)?r.open=r.open.filter(w=>w!==b):r.open=u&&y!==void 0?[y,b]:[b],u=!1;for(let[w,L]of l)r.open.includes(w)||(L.end(),l.delete(w));for(let w of r.open)l.has(w)||l.set(w,Pt(h,w,on(w)));h.toggleAttribute("data-two",r.open.length>1),le(),Z()}function on(b){let y=t.openRun(b);return i.set(b,y),{state:n,command:o,run:y,redraw:le,close(){De(b),$.el.focus()},compare(){u=!u,le()},comparing:()=>u,span:()=>Math.max(1,...r.open.map(w=>i.get(w)?.details?.steps.span_ms??0))}}function le(){l.forEach(b=>b.update())}function Ye(b,y){let w=r.lines.find(L=>L.node.key===b)?.node;w&&(r.active=b,y==="action"?Xe(w):y==="approve"||y==="deny"?sn(w,y):y==="twist"||!w.line?Q(w):De(b),Z())}function sn(b,y){let[,,w,L]=b.line?.row.asks??[];w===void 0||L===void 0||o(y,b.key,{step:w,tool_call_id:L})}function Xe(b){let{command:y}=K(b,n);y&&o(y,Ge(b))}function rn(b){let y=r.lines.findIndex(w=>w.node.key===r.active);an(b.key,y,r.lines[y]?.node)&&b.preventDefault()}function an(b,y,w){let Je={ArrowDown:y+1,ArrowUp:y-1,PageDown:y+Ne-1,PageUp:y+1-Ne,Home:0,End:r.lines.length-1}[b];if(Je!==void 0)C(Je);else if(b==="ArrowRight"&&w?.kids)Q(w,!0);else if(b==="ArrowLeft"&&w?.unfolded)Q(w,!1);else if((b==="Enter"||b===" ")&&w)Ye(w.key,"row");else if(b==="Delete"&&w&&Me(K(w,n).command))Xe(w);else if(b==="Escape"&&r.open.length)De(r.open.at(-1));else return!1;return!0}function Z(){d=0,$.paint(r,n)}function ee(){d||=requestAnimationFrame(Z)}let ln=b=>s.text&&(b.has("says")||b.has("error"))?!0:!!(r.sort&&vo[r.sort.by]?.some(y=>b.has(y)));return{update(b){if(b==="time"){r.lines.some(({node:y})=>!x(E(y).status))&&ee();return}b==="all"?c=null:b!=="cells"&&je(c??[]),b==="all"||b!=="cells"&&ln(b)?v():b!=="cells"&&f.sum(ze(s)),b==="all"&&f.choose(),f.draw(),le(),ee()},end(){cancelAnimationFrame(d),l.forEach(b=>b.end())}}}var To=12e3,xo=3e4,ie=e=>e.stoppedMs??Date.now()+e.skewMs;function tn(e){let t={rows:new Map,batches:new Map,total:0,loaded:!1,trouble:[],said:[],asked:new Map,only:null,gone:!1,skewMs:0,stoppedMs:null},n=new Set,o=new Map,s=new G(()=>{N(e,"resend_table","")}),a=_o(t),r=h=>{h==="all"&&a(),n.forEach(v=>v.update(h))},l=[],i=h=>{if(!h?.columns)return;l=h.columns;let v=JSON.parse(h.lines).map(C=>nn(l,C));t.rows=new Map(v.map(C=>[C.row.id,C])),t.batches=new Map(Object.entries(h.batches));let{total:_,loaded:A,trouble:k,only:S}=h;Object.assign(t,{total:_,loaded:A,trouble:k,only:S,gone:!1,stoppedMs:null}),t.skewMs=h.now_ms-Date.now(),s.restart(h.seq),r("all")},u=h=>{if("run"in h)o.get(h.run)?.hear(h);else if("said"in h)c(h.said);else if(s.accept(h?.seq)){let v=ko(t,l,h);v===null?s.resync():r(v)}},c=h=>{t.asked.delete(h.run_id);let{error:v}=h;v&&(t.said=[...t.said.slice(-2),v],setTimeout(()=>{t.said=t.said.filter(_=>_!==v),r("cells")},To)),r("cells")},d=async(h,v,_={})=>{if(t.asked.has(v)||t.gone)return;let A={name:h,how:"heard"};t.asked.set(v,A),r("cells");let k=await N(e,h,v,_),S=(C,Q)=>{setTimeout(()=>{t.asked.get(v)===A&&(C(),r("cells"))},Q)};k==="none"&&p(),k==="comm"&&S(()=>A.how="waiting",3e3),S(()=>t.asked.delete(v),xo),r("cells")},p=()=>{t.gone||(t.stoppedMs=ie(t),t.gone=!0,r("all"))};i(e.get("table")),e.on("change:table",()=>i(e.get("table"))),e.on("msg:custom",u),pt(e,p);let f=setInterval(()=>document.hidden||t.gone||r("time"),1e3),$=h=>{let v=o.get(h)??Ct(e);return o.set(h,v),t.gone||N(e,"open",h),v};return{end:()=>clearInterval(f),render(h){let v=en(h,{state:t,openRun:$,command:(A,k,S)=>{d(A,k,S)}}),_=be(e.get("key"));return n.add(v),v.update("all"),()=>{n.delete(v),v.end(),_()}}}}function _o(e){let t=new Map;return()=>{let n=new Map;for(let{row:o}of e.rows.values()){let s=re(t.get(o.id),o.status);(s==="waits"||s&&!o.parent&&!o.batch)&&ae(o.id,s,o),x(o.status)||n.set(o.id,o.status)}for(let[o,{finished:s}]of e.batches){let a=s?"completed":"running",r=re(t.get(o),a);r&&ae(o,r,{title:`batch ${Ao(e,o)}`,status:a}),s||n.set(o,a)}t=n}}function Ao(e,t){for(let{row:n}of e.rows.values())if(n.batch===t)return n.title;return""}function nn(e,t){let n={};for(let o=0;o<e.length;o+=1)n[e[o]]=t[o]??null;return{row:n,hay:null}}function ko(e,t,n){e.skewMs=n.now_ms-Date.now();let{total:o,loaded:s,trouble:a}=n;o!==void 0&&(e.total=o),s!==void 0&&(e.loaded=s),a!==void 0&&(e.trouble=a);let l=Object.entries(n.batches??{}).some(([u,c])=>c.finished&&!e.batches.get(u)?.finished)||!!n.new||a!==void 0||s!==void 0;for(let[u,c]of Object.entries(n.batches??{})){let d=e.batches.get(u);d?Object.assign(d,c):(e.batches.set(u,c),l=!0),c.finished&&e.asked.delete(u)}for(let u of n.new??[])e.rows.set(String(u[0]),nn(t,u));let i=new Set;for(let u of n.cells??[])if(!So(e,t,u,i))return null;return l||i.has("status")||i.has("created_ms")?"all":i}function So(e,t,n,o){let[s,...a]=n,r=e.rows.get(s);if(!r)return!1;r.hay=null;let l=r.row;for(let i=0;i<a.length;i+=2){let u=t[Number(a[i])];u!==void 0&&(l[u]=a[i+1]??null,o.add(u),(u==="status"||u==="asks")&&e.asked.delete(s))}return!0}var Co=()=>{let e=Ce(),t=null;return{initialize({model:n}){let o=n;if(n.get("shows")!=="table"){e.initialize(o);return}return t=tn(o),t.end},render({model:n,el:o}){return t?t.render(o):e.render(n,o)}}},Cr=Co;export{Cr as default};
/*! Bundled license information:

lit-html/lit-html.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/keyed.js:
  (**
   * @license
   * Copyright 2021 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
